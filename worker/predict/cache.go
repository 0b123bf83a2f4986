package predict

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	lru "github.com/hashicorp/golang-lru/v2/simplelru"
	"golang.org/x/sync/semaphore"
	"golang.org/x/sync/singleflight"

	"tributary/shared/job"
	"tributary/shared/registry"
)

const (
	aliasFor    = time.Second      // how long a name is taken to stand for the same model
	maxNames    = 1024             // names remembered
	maxName     = 256              // bytes of a name
	loadTimeout = 30 * time.Second // reading one model
	maxLoads    = 2                // models read at a time, so that memory stays near the limit
)

// cache keeps models by id, the least recently used leaving when their bytes
// are over the limit, and the ids of names for a moment.
type cache struct {
	models Models
	limit  int64
	flight singleflight.Group
	loads  *semaphore.Weighted

	mu    sync.Mutex
	bytes int64
	byID  *lru.LRU[job.ID, loaded]
	names *lru.LRU[string, alias]
}

type loaded struct {
	model *registry.Model
	bytes int64
}

type alias struct {
	id job.ID
	at time.Time
}

func newCache(models Models, limit int64) *cache {
	c := &cache{models: models, limit: limit, loads: semaphore.NewWeighted(maxLoads)}
	c.names = newLRU[string, alias](maxNames, nil)
	// Its length is bounded by bytes, in put; every model has some.
	c.byID = newLRU(int(min(limit, 1<<30))+1, func(_ job.ID, l loaded) { c.bytes -= l.bytes })
	return c
}

func newLRU[K comparable, V any](size int, evicted func(K, V)) *lru.LRU[K, V] {
	l, err := lru.NewLRU(max(1, size), evicted)
	if err != nil {
		panic(err) // only for sizes below 1
	}
	return l
}

// get returns the model of a name.
func (c *cache) get(ctx context.Context, name string) (*registry.Model, error) {
	id, err := c.resolve(ctx, name)
	if err != nil {
		return nil, notFound(name, err)
	}
	if m, ok := c.lookUp(id); ok {
		return m, nil
	}
	// One caller reads for all who want the model; its own impatience must not
	// fail the others.
	v, err, _ := c.flight.Do(string(id), func() (any, error) {
		if m, ok := c.lookUp(id); ok {
			return m, nil
		}
		reading, cancel := context.WithTimeout(context.WithoutCancel(ctx), loadTimeout)
		defer cancel()
		return c.load(reading, id)
	})
	if err != nil {
		return nil, notFound(name, err)
	}
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	return v.(*registry.Model), nil
}

// notFound says in a sentence that there is no such model, if that is err.
func notFound(name string, err error) error {
	if errors.Is(err, job.ErrNotFound) {
		return fmt.Errorf("there is no model %.80q: %w", name, job.ErrNotFound)
	}
	return fmt.Errorf("model %.80q: %w", name, err)
}

// resolve returns the id that a name stands for.
func (c *cache) resolve(ctx context.Context, name string) (job.ID, error) {
	if name == "" || len(name) > maxName {
		return "", job.ErrNotFound
	}
	now := time.Now()
	c.mu.Lock()
	a, ok := c.names.Get(name)
	c.mu.Unlock()
	if ok && now.Sub(a.at) < aliasFor {
		return a.id, nil
	}
	id, err := c.models.Resolve(ctx, name)
	if err != nil {
		return "", err
	}
	c.mu.Lock()
	c.names.Add(name, alias{id, now})
	c.mu.Unlock()
	return id, nil
}

func (c *cache) lookUp(id job.ID) (*registry.Model, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	l, ok := c.byID.Get(id)
	return l.model, ok
}

// load reads a model and caches it.
func (c *cache) load(ctx context.Context, id job.ID) (*registry.Model, error) {
	if err := c.loads.Acquire(ctx, 1); err != nil {
		return nil, fmt.Errorf("wait to read it: %w", err)
	}
	defer c.loads.Release(1)
	files := make(map[string][]byte, len(registry.FileNames))
	size := int64(0)
	for _, name := range registry.FileNames {
		data, err := c.models.File(ctx, id, name)
		if err != nil {
			return nil, fmt.Errorf("read %s: %w", name, err)
		}
		files[name] = data
		if size += int64(len(data)); size > c.limit {
			return nil, fmt.Errorf("its files are over the model cache's %d bytes: %w", c.limit, job.ErrFull)
		}
	}
	m, err := registry.Decode(files)
	if err != nil {
		return nil, err
	}
	c.put(id, loaded{m, size})
	return m, nil
}

// put adds a model and lets older ones go until the bytes are within the limit.
func (c *cache) put(id job.ID, l loaded) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.byID.Remove(id)
	c.bytes += l.bytes
	c.byID.Add(id, l)
	for c.bytes > c.limit {
		c.byID.RemoveOldest()
	}
}
