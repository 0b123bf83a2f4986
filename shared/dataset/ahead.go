package dataset

import (
	"context"
	"sort"
)

// After appends to dst the n blocks that begin at position at of the epoch or later. It
// appends fewer if the epoch has fewer.
func (o *Order) After(dst []int32, at, n int) []int32 {
	i := sort.SearchInts(o.starts[:len(o.blocks)], at)
	return append(dst, o.blocks[i:min(i+n, len(o.blocks))]...)
}

// mostAhead limits the prefetches in flight.
const mostAhead = 4

// Prefetch starts to fetch a block that a caller will soon ask for. It does nothing if the
// block is in the cache, if it is in flight, or if mostAhead prefetches are in flight. It
// does not wait, and it reports no error: the caller that asks for the block tries again.
// The fetch ends with ctx.
func (c *Cache) Prefetch(ctx context.Context, ref BlockRef) {
	c.mu.Lock()
	_, kept := c.kept[ref.Digest]
	_, flying := c.flights[ref.Digest]
	busy := kept || flying || c.ahead >= mostAhead
	if !busy {
		c.ahead++
	}
	c.mu.Unlock()
	if busy {
		return
	}
	go func() {
		_, _ = c.Get(ctx, ref) // see above
		c.mu.Lock()
		defer c.mu.Unlock()
		c.ahead--
	}()
}
