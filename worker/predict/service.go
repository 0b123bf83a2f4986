// Package predict answers predictions for models of the registry.
//
// It owns the request, the cache of models, and the limits; the model predicts
// by itself (shared/registry). It does not know NATS: serve calls Handle with
// what arrived on a model's subject, and hands in where models are kept.
//
// Invariant: a cached model is never another than its id's. A model's files do
// not change once its card is there; what can move is a name, and an id can be used
// again once its model was removed: both are looked up again after aliasFor.
package predict

import (
	"context"
	"fmt"
	"io"
	"runtime"

	"golang.org/x/sync/semaphore"

	"tributary/shared/job"
	"tributary/shared/readable"
	"tributary/shared/registry"
)

// Models is where trained models are kept.
type Models interface {
	// Find returns the model of an id, and if nothing has that id, the one that an
	// alias stands for. It fails with job.ErrNotFound when there is none.
	Find(ctx context.Context, name string) (Found, error)
	// ReadFile hands one of a model's files, registry.FileNames among them, to read,
	// with its size, as registry.Files says.
	ReadFile(ctx context.Context, model job.ID, name string, read func(r io.Reader, size int64) error) error
}

// Found is the model that a name stands for.
type Found struct {
	ID      job.ID
	Version string // another one when the id was used again for another model
}

// MaxRequest bounds one request in bytes, unless Config says otherwise.
const MaxRequest = 8 << 20

// Config is what a service works with. Zero values take the defaults.
type Config struct {
	Models     Models
	CacheBytes int64 // of models in memory and being read, bytes; default 512 MiB; a larger model is refused
	MaxRows    int   // rows of one request; default 10,000
	MaxRequest int   // of one request, bytes; default MaxRequest
	MaxReply   int   // of one answer, bytes; default 1 MiB less 1 KiB for headers, NATS' usual limit
	Parallel   int   // predictions computed at a time; default one per CPU
	Memory     int64 // of what predictions compute with, over all requests, bytes; default 256 MiB; a request that takes more has all of it
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
	if c.Memory == 0 {
		c.Memory = 256 << 20
	}
}

// Service answers predictions. It is safe for concurrent use.
type Service struct {
	cfg     Config
	cache   *cache
	compute *semaphore.Weighted // predictions
	memory  *semaphore.Weighted // bytes
}

// New returns a service.
func New(cfg Config) *Service {
	cfg.setDefaults()
	return &Service{
		cfg: cfg, cache: newCache(cfg.Models, cfg.CacheBytes),
		compute: semaphore.NewWeighted(int64(cfg.Parallel)), memory: semaphore.NewWeighted(cfg.Memory),
	}
}

// Handle answers a payload {"rows":[…]}, each row an array of the model's
// columns in order or an object by column name, with registry.Prediction's
// JSON. name is a model's id or an alias. It fails with job.ErrNotFound when
// there is no such model and with job.ErrInvalid, in a sentence for whoever
// asked, when the request cannot be answered.
func (s *Service) Handle(ctx context.Context, name string, payload []byte) ([]byte, error) {
	if len(payload) > s.cfg.MaxRequest {
		return nil, fmt.Errorf("request of %d bytes: at most %d are read: %w", len(payload), s.cfg.MaxRequest, job.ErrInvalid)
	}
	m, err := s.cache.get(ctx, name)
	if err != nil {
		return nil, err
	}
	limits := registry.Limits{Rows: s.cfg.MaxRows, Answer: s.cfg.MaxReply}
	p, err := s.predict(ctx, m, payload, limits)
	if err != nil {
		return nil, err
	}
	answer, err := encode(p)
	if err == nil && len(answer) > limits.Answer && p.Notes != nil {
		p.Notes = nil // they are no reason to refuse an answer
		answer, err = encode(p)
	}
	if err != nil {
		return nil, err
	}
	if len(answer) > limits.Answer {
		return nil, limits.TooLong(len(p.Predictions))
	}
	return answer, nil
}

func encode(p *registry.Prediction) ([]byte, error) {
	answer, err := readable.JSON(p)
	if err != nil {
		return nil, fmt.Errorf("encode prediction: %w", err)
	}
	return answer, nil
}

// predict predicts once there is room for what the request will take. Nothing of it
// is decoded before.
func (s *Service) predict(ctx context.Context, m *registry.Model, payload []byte, limits registry.Limits) (*registry.Prediction, error) {
	room := min(m.RequestBytes(limits), s.cfg.Memory)
	if err := s.memory.Acquire(ctx, room); err != nil {
		return nil, fmt.Errorf("wait for memory: %w", err)
	}
	defer s.memory.Release(room)
	if err := s.compute.Acquire(ctx, 1); err != nil {
		return nil, fmt.Errorf("wait for a free slot: %w", err)
	}
	defer s.compute.Release(1)
	return m.PredictJSON(ctx, payload, limits)
}
