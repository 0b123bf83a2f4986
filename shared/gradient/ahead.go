package gradient

import (
	"context"

	"tributary/shared/dataset"
	"tributary/shared/job"
)

// blocksAhead is how many blocks are fetched before they are needed: with 1 to 4 MiB
// each, some tens of milliseconds of work.
const blocksAhead = 4

// Prefetcher is Blocks that can be told what will be asked for.
type Prefetcher interface {
	Prefetch(ctx context.Context, ref dataset.BlockRef)
}

// Prefetch has the blocks fetched that come after a step's batch, in the order of
// its epoch and of the next one, where the blocks' owner can do so. It does not wait.
func (e *Engine) Prefetch(ctx context.Context, step int64) {
	ahead, able := e.blocks.Blocks.(Prefetcher)
	refs := e.Plan.Dataset.Splits[job.Train]
	if !able || len(refs) < 2 || step+1 >= e.Plan.Steps() {
		return
	}
	var room [blocksAhead]int32
	epoch, _, end := e.Plan.Batch(step)
	next := e.order(epoch).After(room[:0], end, blocksAhead)
	if after, _, _ := e.Plan.Batch(e.Plan.Steps() - 1); len(next) < blocksAhead && epoch < after {
		next = e.order(epoch+1).After(next, 0, blocksAhead-len(next))
	}
	for _, block := range next {
		ahead.Prefetch(ctx, refs[block])
	}
}
