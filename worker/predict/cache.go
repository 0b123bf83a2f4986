package predict

import (
	"context"
	"errors"
	"fmt"
	"io"
	"sync"
	"time"

	lru "github.com/hashicorp/golang-lru/v2/simplelru"
	"golang.org/x/sync/semaphore"
	"golang.org/x/sync/singleflight"

	"tributary/shared/job"
	"tributary/shared/lifecycle"
	"tributary/shared/registry"
)

const (
	aliasFor    = time.Second      // how long a name's model is remembered
	maxNames    = 1024             // the number of names that are remembered
	loadTimeout = 30 * time.Second // the timeout for reading one model
	maxLoads    = 2                // how many models are read at a time
	maxCallers  = 32               // how many requests may wait for models to be read, so that other requests find a free handler
)

// cache keeps models by id. When they exceed the limit in bytes, it drops the least
// recently used models. It also remembers for a short time which id a name stands for.
//
// Invariant: bytes + reading ≤ limit.
type cache struct {
	models  Models
	limit   int64
	flight  singleflight.Group
	callers *semaphore.Weighted // requests that wait for a model to be read
	loads   *semaphore.Weighted // models being read
	room    *semaphore.Weighted // bytes of models being read

	mu      sync.Mutex
	bytes   int64 // of the models in byID
	reading int64 // of models being read
	byID    *lru.LRU[Found, loaded]
	names   *lru.LRU[string, alias]
}

type loaded struct {
	model *registry.Model
	bytes int64
}

type alias struct {
	found Found
	at    time.Time
}

func newCache(models Models, limit int64, drift Drift) *cache {
	c := &cache{
		models: models, limit: limit, callers: semaphore.NewWeighted(maxCallers),
		loads: semaphore.NewWeighted(maxLoads), room: semaphore.NewWeighted(limit),
	}
	c.names = newLRU[string, alias](maxNames, nil)
	// put bounds the cache by bytes, not by length; every model has at least one byte.
	c.byID = newLRU(int(min(limit, 1<<30))+1, func(f Found, l loaded) {
		c.bytes -= l.bytes
		if drift != nil {
			drift.Gone(f.ID)
		}
	})
	return c
}

func newLRU[K comparable, V any](size int, evicted func(K, V)) *lru.LRU[K, V] {
	l, err := lru.NewLRU(max(1, size), evicted)
	if err != nil {
		panic(err) // only for sizes below 1
	}
	return l
}

// get returns the model that a name stands for.
func (c *cache) get(ctx context.Context, name string) (*registry.Model, error) {
	found, err := c.resolve(ctx, name)
	if err != nil {
		return nil, notFound(name, err)
	}
	if m, ok := c.lookUp(found); ok {
		return m, nil
	}
	if !c.callers.TryAcquire(1) {
		return nil, fmt.Errorf("model %.80q: %d requests are waiting for models to be read; try again later: %w", name, maxCallers, job.ErrFull)
	}
	defer c.callers.Release(1)
	// One caller reads the model for all callers that want it. If its context ends, the
	// others must not fail; a panic must not end the program.
	v, err, _ := c.flight.Do(string(found.ID)+" "+found.Version, func() (m any, err error) {
		err = lifecycle.Contain("read model "+string(found.ID), func() error {
			m, err = c.find(ctx, found)
			return err
		})
		return m, err
	})
	if err != nil {
		return nil, notFound(name, err)
	}
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	return v.(*registry.Model), nil
}

// find returns the model if another caller has read it meanwhile. Otherwise it reads the
// model.
func (c *cache) find(ctx context.Context, f Found) (*registry.Model, error) {
	if m, ok := c.lookUp(f); ok {
		return m, nil
	}
	reading, cancel := context.WithTimeout(context.WithoutCancel(ctx), loadTimeout)
	defer cancel()
	return c.load(reading, f)
}

// notFound adds the name to err, and says in a sentence if there is no such model.
func notFound(name string, err error) error {
	if errors.Is(err, job.ErrNotFound) {
		return fmt.Errorf("there is no model %.80q: %w", name, job.ErrNotFound)
	}
	return fmt.Errorf("model %.80q: %w", name, err)
}

// resolve returns the model that a name stands for.
func (c *cache) resolve(ctx context.Context, name string) (Found, error) {
	if job.ID(name).Validate() != nil {
		return Found{}, job.ErrNotFound // model names follow the rules of job ids
	}
	now := time.Now()
	c.mu.Lock()
	a, ok := c.names.Get(name)
	c.mu.Unlock()
	if ok && now.Sub(a.at) < aliasFor {
		return a.found, nil
	}
	found, err := c.models.Find(ctx, name)
	if err != nil {
		return Found{}, err
	}
	c.mu.Lock()
	c.names.Add(name, alias{found, now})
	c.mu.Unlock()
	return found, nil
}

func (c *cache) lookUp(f Found) (*registry.Model, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	l, ok := c.byID.Get(f)
	return l.model, ok
}

// load reads a model and caches it. It reserves memory before it reads the parameters.
func (c *cache) load(ctx context.Context, f Found) (m *registry.Model, err error) {
	if err := c.loads.Acquire(ctx, 1); err != nil {
		return nil, fmt.Errorf("wait for other models to be read: %w", err)
	}
	defer c.loads.Release(1)
	reserved := int64(0)
	defer func() { c.finish(f, m, reserved) }()
	m, err = registry.Read(func(name string, read func(io.Reader, int64) error) error {
		return c.models.ReadFile(ctx, f.ID, name, read)
	}, func(bytes int64) error {
		if err := c.reserve(ctx, bytes); err != nil {
			return err
		}
		reserved = bytes
		return nil
	})
	if err != nil {
		return nil, err
	}
	return counted(m), nil
}

// reserve waits until there is memory for a model that is about to be read. It drops
// cached models to make room.
func (c *cache) reserve(ctx context.Context, bytes int64) error {
	if bytes > c.limit {
		return fmt.Errorf("it takes %d bytes in memory; the model cache has %d (--model-cache): %w", bytes, c.limit, job.ErrFull)
	}
	if err := c.room.Acquire(ctx, bytes); err != nil {
		return fmt.Errorf("wait for room in the model cache: %w", err)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.reading += bytes
	c.shrink()
	return nil
}

// finish returns the memory that reserve took. It caches the model unless the model is
// nil.
func (c *cache) finish(f Found, m *registry.Model, reserved int64) {
	c.mu.Lock()
	c.reading -= reserved
	if m != nil {
		c.byID.Remove(f)
		c.bytes += reserved
		c.byID.Add(f, loaded{m, reserved})
	}
	c.mu.Unlock()
	c.room.Release(reserved)
}

// shrink drops the least recently used models until the bytes are within the limit. The
// caller holds c.mu.
func (c *cache) shrink() {
	for c.bytes+c.reading > c.limit && c.byID.Len() > 0 {
		c.byID.RemoveOldest()
	}
}
