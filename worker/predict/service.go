// Package predict answers prediction requests for models of the registry.
//
// It owns the request, the cache of models, and the limits. The model itself computes the
// prediction (shared/registry). The package does not know NATS: worker/serve calls Handle
// with each request, and passes in the store of the models.
//
// Invariant: a cached model always belongs to its id. A model's files do not change after
// its card is stored. But a name can move to another model, and an id can be used again
// after its model was removed. So the cache looks both up again after aliasFor.
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

// Models stores trained models.
type Models interface {
	// Find returns the model with the id name. If there is none, it returns the model
	// that the alias name stands for. It fails with job.ErrNotFound if there is neither.
	Find(ctx context.Context, name string) (Found, error)
	// ReadFile opens one of a model's files (registry.FileNames lists them) and calls
	// read with it and its size in bytes, as registry.Files describes.
	ReadFile(ctx context.Context, model job.ID, name string, read func(r io.Reader, size int64) error) error
}

// Found identifies the model that a name stands for.
type Found struct {
	ID      job.ID
	Version string // changes when the id is used again for another model
}

// MaxRequest is the default bound on the size of one request, in bytes.
const MaxRequest = 8 << 20

// Config is what a Service works with. Zero values take the defaults.
type Config struct {
	Models     Models
	CacheBytes int64 // bytes of models in memory or being read; default 512 MiB; a larger model is refused
	MaxRows    int   // most rows of one request; default 10,000
	MaxRequest int   // most bytes of one request; default MaxRequest
	MaxReply   int   // most bytes of one answer; default 1 MiB less 1 KiB for headers, NATS' usual limit
	Parallel   int   // how many predictions are computed at a time; default one per CPU
	Drift      Drift // hears how rows compare with the training rows; may be nil
	Memory     int64 // bytes that all predictions together compute with; default 256 MiB; a request that needs more takes all of it
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

// Service answers prediction requests. It is safe for concurrent use.
type Service struct {
	cfg     Config
	cache   *cache
	compute *semaphore.Weighted // how many predictions are computed at a time
	memory  *semaphore.Weighted // bytes that predictions compute with
}

// New returns a Service.
func New(cfg Config) *Service {
	cfg.setDefaults()
	return &Service{
		cfg: cfg, cache: newCache(cfg.Models, cfg.CacheBytes, cfg.Drift),
		compute: semaphore.NewWeighted(int64(cfg.Parallel)), memory: semaphore.NewWeighted(cfg.Memory),
	}
}

// Handle answers a payload {"rows":[…]} (and "drift":true) with the JSON of registry.Prediction. Each row is
// an array of the model's columns in order, or an object by column name. name is a
// model's id or an alias. Handle fails with job.ErrNotFound if there is no such model. It
// fails with job.ErrInvalid, and a sentence for the client, if it cannot answer the
// request.
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
	s.observe(m)
	if err != nil {
		return nil, err
	}
	answer, err := encode(p)
	if err == nil && len(answer) > limits.Answer && p.Notes != nil {
		p.Notes = nil // an answer without notes is better than none
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

// predict waits until there is memory for the request, and then computes the prediction.
// It decodes nothing of the request before that.
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
