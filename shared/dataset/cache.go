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

// Cache keeps decoded blocks in memory, in front of a blob store. It evicts the least
// recently used blocks to stay within a limit in bytes. Blocks are immutable, and all
// callers share them: no caller may write to a block. An evicted block stays valid for
// every caller that still holds it.
//
// Invariant: the cached blocks never take more than the limit. At most one fetch of each
// block is in flight.
type Cache struct {
	store blob.Store
	limit int64

	mu      sync.Mutex
	kept    map[job.Digest]*list.Element // of *entry
	recent  *list.List                   // most recently used first
	flights map[job.Digest]*flight
	ahead   int // prefetches in flight
	stats   CacheStats
}

// CacheStats are counters of a cache, and what it holds now.
type CacheStats struct {
	Hits      int64 // requests for a block that was in memory or in flight
	Misses    int64 // requests that started a fetch from the store
	Retries   int64 // fetched a second time because the bytes were corrupt
	Evictions int64 // blocks removed to stay within the limit
	Blocks    int   // in memory now
	Bytes     int64 // in memory now
	Limit     int64
}

type entry struct {
	digest job.Digest
	block  *Block
}

// flight is one fetch that any number of callers wait for. It is cancelled when the last of
// them stops waiting.
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
// job.ErrNotFound if the store has no such blob. It fails with job.ErrCorrupt if the bytes,
// read twice, are not the block that ref describes. If ctx ends first, it returns the error
// of ctx; this affects no other caller. Get returns a block that is larger than the cache's
// limit, but does not keep it.
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

// join returns the block if it is in the cache, or else the flight to wait for.
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

// leave removes one waiter from a flight. The last waiter cancels the flight.
func (c *Cache) leave(digest job.Digest, f *flight) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if f.waiters--; f.waiters == 0 {
		f.cancel()
		if c.flights[digest] == f { // the next caller starts a new fetch
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

// keep adds the block to the cache and evicts others to make room. It does nothing if the
// block alone is over the limit. The caller holds mu.
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
