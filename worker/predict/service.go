// Package predict answers predictions for models of the registry.
//
// It owns the request, the cache of models, and the limits; the model predicts
// by itself (shared/registry). It does not know NATS: serve calls Handle with
// what arrived on a model's subject, and hands in where models are kept.
//
// Invariant: a cached model is never another than its id's. A model's files do
// not change once its card is there; what can move is a name, and a name is
// looked up again after aliasFor.
package predict

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"runtime"

	"golang.org/x/sync/semaphore"

	"tributary/shared/job"
	"tributary/shared/registry"
)

// Models is where trained models are kept.
type Models interface {
	// Resolve returns the id of the model that a name stands for: a model's
	// id itself, or an alias. It fails with job.ErrNotFound when there is none.
	Resolve(ctx context.Context, name string) (job.ID, error)
	// File returns one of a model's files, registry.FileNames among them. It
	// fails with job.ErrNotFound when there is none of the name.
	File(ctx context.Context, model job.ID, name string) ([]byte, error)
}

// MaxRequest bounds one request in bytes, unless Config says otherwise.
const MaxRequest = 8 << 20

// Config is what a service works with. Zero values take the defaults.
type Config struct {
	Models     Models
	CacheBytes int64 // of models in memory, bytes; default 512 MiB; a larger model is refused
	MaxRows    int   // rows of one request; default 10,000
	MaxRequest int   // of one request, bytes; default MaxRequest
	MaxReply   int   // of one answer, bytes; default 1 MiB less 1 KiB for headers, NATS' usual limit
	Parallel   int   // predictions computed at a time; default one per CPU
}

func (c *Config) setDefaults() {
	if c.CacheBytes == 0 {
		c.CacheBytes = 512 << 20
	}
	if c.MaxRows == 0 {
		c.MaxRows = 10_000
	}
	if c.MaxRequest == 0 {
		c.MaxRequest = MaxRequest
	}
	if c.MaxReply == 0 {
		c.MaxReply = 1<<20 - 1<<10
	}
	if c.Parallel == 0 {
		c.Parallel = runtime.GOMAXPROCS(0)
	}
}

// Service answers predictions. It is safe for concurrent use.
type Service struct {
	cfg     Config
	cache   *cache
	compute *semaphore.Weighted
}

// New returns a service.
func New(cfg Config) *Service {
	cfg.setDefaults()
	return &Service{cfg: cfg, cache: newCache(cfg.Models, cfg.CacheBytes), compute: semaphore.NewWeighted(int64(cfg.Parallel))}
}

// request is the payload.
type request struct {
	Rows []any `json:"rows"`
}

// Handle answers a payload {"rows":[…]}, each row an array of the model's
// columns in order or an object by column name, with registry.Prediction's
// JSON. name is a model's id or an alias. It fails with job.ErrNotFound when
// there is no such model and with job.ErrInvalid, in a sentence for whoever
// asked, when the request cannot be answered.
func (s *Service) Handle(ctx context.Context, name string, payload []byte) ([]byte, error) {
	req, err := s.decode(payload)
	if err != nil {
		return nil, err
	}
	m, err := s.cache.get(ctx, name)
	if err != nil {
		return nil, err
	}
	// A number in the answer has two bytes at least, so this answer cannot fit.
	if n := m.Card.Outputs; n > 0 && len(req.Rows) > s.cfg.MaxReply/(2*n) {
		return nil, s.tooLong(len(req.Rows))
	}
	p, err := s.predict(ctx, m, req.Rows)
	if err != nil {
		return nil, err
	}
	answer, err := json.Marshal(p)
	if err != nil {
		return nil, fmt.Errorf("encode prediction: %w", err)
	}
	if len(answer) > s.cfg.MaxReply {
		return nil, s.tooLong(len(req.Rows))
	}
	return answer, nil
}

func (s *Service) tooLong(rows int) error {
	return fmt.Errorf("rows: the answer for %d rows is over %d bytes; ask for fewer at a time: %w", rows, s.cfg.MaxReply, job.ErrInvalid)
}

func (s *Service) predict(ctx context.Context, m *registry.Model, rows []any) (*registry.Prediction, error) {
	if err := s.compute.Acquire(ctx, 1); err != nil {
		return nil, fmt.Errorf("wait for a free slot: %w", err)
	}
	defer s.compute.Release(1)
	return m.Predict(ctx, rows)
}

// decode reads the payload.
func (s *Service) decode(payload []byte) (request, error) {
	var req request
	const want = `want {"rows":[[…], …]}`
	if len(payload) > s.cfg.MaxRequest {
		return req, fmt.Errorf("request of %d bytes: at most %d are read: %w", len(payload), s.cfg.MaxRequest, job.ErrInvalid)
	}
	d := json.NewDecoder(bytes.NewReader(payload))
	d.DisallowUnknownFields()
	d.UseNumber()
	if err := d.Decode(&req); errors.Is(err, io.EOF) {
		return req, fmt.Errorf("request is empty: %s: %w", want, job.ErrInvalid)
	} else if err != nil {
		return req, fmt.Errorf("request: %w: %s: %w", err, want, job.ErrInvalid)
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return req, fmt.Errorf("request goes on after its end: %s: %w", want, job.ErrInvalid)
	}
	if n := len(req.Rows); n == 0 || n > s.cfg.MaxRows {
		return req, fmt.Errorf("rows: %d: want 1 to %d: %w", n, s.cfg.MaxRows, job.ErrInvalid)
	}
	return req, nil
}
