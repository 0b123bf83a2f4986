package compute

import (
	"context"

	"tributary/shared/ledger"
	"tributary/shared/replica"
	"tributary/shared/rounding"
)

// carried is the residual of a lossy wire before a step, for the chunks that this task
// appended in the step before. The task need not read those from the ledger.
type carried struct {
	v     []float32     // [P]; nil before the first residual
	known map[int]int64 // chunk → the step before which v holds the chunk's residual
}

// round turns the sums of the root's children into root gradients, in place, for the
// given chunks of sum [P], and keeps the residuals after them. For a lossless wire it
// does nothing. No append may be in flight, because it would read the residuals that
// round overwrites.
func (st *stepper) round(ctx context.Context, step int64, chunks []int, sum []float32, before ledger.Chain) error {
	lay, c := st.p.layout, &st.carried
	if !lay.Wire.Lossy() {
		return nil
	}
	if c.v == nil {
		c.v, c.known = make([]float32, lay.Params), map[int]int64{}
	}
	var missing []int
	for _, chunk := range chunks {
		if at, ok := c.known[chunk]; !ok || at != step {
			missing = append(missing, chunk)
		}
	}
	if len(missing) > 0 {
		if err := replica.Residual(ctx, st.ledger, lay, ledger.LogRead{Step: step, Chunks: missing, Dst: c.v, Before: before}); err != nil {
			return err
		}
	}
	for _, chunk := range chunks {
		lo, hi := lay.Chunk(chunk)
		rounding.Root(lay.Wire, sum[lo:hi], c.v[lo:hi])
		c.known[chunk] = step + 1
	}
	return nil
}
