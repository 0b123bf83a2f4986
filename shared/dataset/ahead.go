package dataset

import (
	"context"
	"sort"
)

// After appends to dst the n blocks, or as many as there are, that begin at position
// at of the epoch or later.
func (o *Order) After(dst []int32, at, n int) []int32 {
	i := sort.SearchInts(o.starts[:len(o.blocks)], at)
	return append(dst, o.blocks[i:min(i+n, len(o.blocks))]...)
}

// mostAhead bounds the fetches under way for nobody yet.
const mostAhead = 4

// Prefetch begins to fetch a block that will be asked for soon, unless it is kept,
// on its way, or so many are already. It does not wait; what fails is tried again by
// whoever asks for the block. It ends with ctx.
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
