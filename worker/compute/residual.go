package compute

import (
	"context"

	"tributary/shared/ledger"
	"tributary/shared/replica"
	"tributary/shared/rounding"
)

// carried is the residual of a lossy wire before a step, as far as this task knows it:
// of chunks that it appended the step before. It need not read those.
type carried struct {
	v     []float32     // [P]; nil until there is one
	known map[int]int64 // chunk → the step before which v has its residual
}

// round makes root gradients of the sums of the root's children, chunks of sum [P], in
// place, and carries the residuals after them. Of a wire that loses nothing it does
// nothing. No append is in flight: it would read the residuals before.
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
