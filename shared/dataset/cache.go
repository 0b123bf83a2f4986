package dataset

import (
	"container/list"
	"context"
	"errors"
	"fmt"
	"sync"

	"tributary/shared/blob"
	"tributary/shared/job"
	"tributary/shared/lifecycle"
)

// Cache keeps decoded blocks in front of a blob store, least recently used
// out first, within a limit in bytes. Blocks are immutable and shared by all
// who ask: nobody may write to them, and one that is put out of the cache
// stays whole for whoever still holds it.
//
// Invariant: the blocks kept never take more than the limit, and of one block
// at most one fetch is under way.
type Cache struct {
	store blob.Store
	limit int64

	mu      sync.Mutex
	kept    map[job.Digest]*list.Element // of *entry
	recent  *list.List                   // most recently used first
	flights map[job.Digest]*flight
	ahead   int // fetches that Prefetch began
	stats   CacheStats
}

// CacheStats is what a cache has done so far and holds now.
type CacheStats struct {
	Hits      int64 // asked for and kept, or already being fetched
	Misses    int64 // fetched from the store
	Retries   int64 // fetched a second time because the bytes were corrupt
	Evictions int64 // put out to keep within the limit
	Blocks    int   // kept now
	Bytes     int64 // kept now
	Limit     int64
}

type entry struct {
	digest job.Digest
	block  *Block
}

// flight is one fetch that any number of callers wait for. It is cancelled
// when the last of them has left.
type flight struct {
	done    chan struct{} // closed when block and err are set
	block   *Block
	err     error
	waiters int // guarded by Cache.mu
	cancel  context.CancelFunc
}

// NewCache returns an empty cache of limit bytes over store.
func NewCache(store blob.Store, limit int64) *Cache {
	return &Cache{
		store: store, limit: limit,
		kept: map[job.Digest]*list.Element{}, recent: list.New(), flights: map[job.Digest]*flight{},
	}
}

// Get returns the block of ref, from memory or from the store. It fails with
// job.ErrNotFound when the store has no such blob, with job.ErrCorrupt when
// its bytes (read twice) are not the block ref describes, and with ctx's error
// when ctx ends first, which disturbs no other caller. A block over the
// cache's limit is returned and not kept.
func (c *Cache) Get(ctx context.Context, ref BlockRef) (*Block, error) {
	block, f := c.join(ctx, ref)
	if f != nil {
		select {
		case <-f.done:
			if f.err != nil {
				return nil, f.err
			}
			block = f.block
		case <-ctx.Done():
			c.leave(ref.Digest, f)
			return nil, fmt.Errorf("block %s: %w", ref.Digest, ctx.Err())
		}
	}
	if block.Rows != ref.Rows {
		return nil, fmt.Errorf("block %s: holds %d rows, the manifest says %d: %w", ref.Digest, block.Rows, ref.Rows, job.ErrCorrupt)
	}
	return block, nil
}

// Stats returns the cache's counters.
func (c *Cache) Stats() CacheStats {
	c.mu.Lock()
	defer c.mu.Unlock()
	s := c.stats
	s.Blocks, s.Limit = len(c.kept), c.limit
	return s
}

// join returns the kept block, or the flight to wait for.
func (c *Cache) join(ctx context.Context, ref BlockRef) (*Block, *flight) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if e, ok := c.kept[ref.Digest]; ok {
		c.stats.Hits++
		c.recent.MoveToFront(e)
		return e.Value.(*entry).block, nil
	}
	if f, ok := c.flights[ref.Digest]; ok {
		c.stats.Hits++
		f.waiters++
		return nil, f
	}
	c.stats.Misses++
	fetching, cancel := context.WithCancel(context.WithoutCancel(ctx))
	f := &flight{done: make(chan struct{}), waiters: 1, cancel: cancel}
	c.flights[ref.Digest] = f
	go c.fly(fetching, ref, f)
	return nil, f
}

// leave takes one waiter off a flight; the last one out ends it.
func (c *Cache) leave(digest job.Digest, f *flight) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if f.waiters--; f.waiters == 0 {
		f.cancel()
		if c.flights[digest] == f { // whoever asks from now on starts afresh
			delete(c.flights, digest)
		}
	}
}

func (c *Cache) fly(ctx context.Context, ref BlockRef, f *flight) {
	defer f.cancel()
	fetch := func() error {
		return lifecycle.Contain("block "+string(ref.Digest), func() (err error) {
			f.block, err = c.fetch(ctx, ref)
			return err
		})
	}
	f.err = fetch()
	if errors.Is(f.err, job.ErrCorrupt) && ctx.Err() == nil {
		c.mu.Lock()
		c.stats.Retries++
		c.mu.Unlock()
		f.err = fetch()
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.flights[ref.Digest] == f {
		delete(c.flights, ref.Digest)
	}
	if f.err == nil {
		c.keep(ref.Digest, f.block)
	}
	close(f.done)
}

func (c *Cache) fetch(ctx context.Context, ref BlockRef) (*Block, error) {
	data, err := c.store.Get(ctx, ref.Digest)
	if err != nil {
		return nil, fmt.Errorf("block %s: %w", ref.Digest, err)
	}
	b, err := DecodeBlock(data)
	if err != nil {
		return nil, fmt.Errorf("block %s: %w", ref.Digest, err)
	}
	return b, nil
}

// keep makes room for the block and keeps it, unless it is over the limit by
// itself. It is called with mu held.
func (c *Cache) keep(digest job.Digest, b *Block) {
	if _, ok := c.kept[digest]; ok || b.size() > c.limit {
		return
	}
	for c.stats.Bytes+b.size() > c.limit {
		oldest := c.recent.Back()
		e := c.recent.Remove(oldest).(*entry)
		delete(c.kept, e.digest)
		c.stats.Bytes -= e.block.size()
		c.stats.Evictions++
	}
	c.kept[digest] = c.recent.PushFront(&entry{digest, b})
	c.stats.Bytes += b.size()
}
