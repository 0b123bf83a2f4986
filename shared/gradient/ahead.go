package gradient

import (
	"context"

	"tributary/shared/dataset"
	"tributary/shared/job"
)

// blocksAhead is how many blocks Prefetch requests before they are needed. At 1 to 4 MiB
// per block, this is some tens of milliseconds of work.
const blocksAhead = 4

// Prefetcher is a Blocks that can prefetch a block before Get asks for it.
type Prefetcher interface {
	Prefetch(ctx context.Context, ref dataset.BlockRef)
}

// Prefetch asks the owner of the blocks, if it is a Prefetcher, to fetch the blocks that
// come after the batch of step. It follows the order of the step's epoch and then that of
// the next epoch. It does not wait for the blocks.
func (e *Engine) Prefetch(ctx context.Context, step int64) {
	ahead, able := e.blocks.(Prefetcher)
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
