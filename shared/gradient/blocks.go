package gradient

import (
	"slices"

	"tributary/shared/dataset"
	"tributary/shared/job"
)

// Blocks lists the blocks that have rows of step's batch.
func (e *Engine) Blocks(step int64) []dataset.BlockRef {
	epoch, lo, hi := e.Plan.Batch(step)
	var numbers []int32
	for _, r := range e.order(epoch).Rows(nil, lo, hi) {
		numbers = append(numbers, r.Block)
	}
	slices.Sort(numbers)
	refs := e.Plan.Dataset.Splits[job.Train]
	var blocks []dataset.BlockRef
	for _, n := range slices.Compact(numbers) {
		blocks = append(blocks, refs[n])
	}
	return blocks
}
