package compute

import (
	"context"
	"errors"
	"fmt"

	"tributary/shared/job"
	"tributary/shared/ledger"
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
// nothing. It waits for the append that runs, which reads the residuals before.
func (sp *span) round(ctx context.Context, step int64, chunks []int, sum []float32, before ledger.Chain) error {
	lay, c := sp.p.layout, &sp.carried
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
		if err := sp.residual(ctx, sp.p, step, missing, c.v, before); err != nil {
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

// residual reads chunks of the residual before a step that the replica has come to.
// Where the ledger has not come so far it has lost steps: job.ErrStale.
func (c *Computer) residual(ctx context.Context, p *program, step int64, chunks []int, dst []float32, before ledger.Chain) error {
	err := c.ledger.Residual(ctx, p.layout, step, chunks, dst, before)
	switch {
	case errors.Is(err, job.ErrNotFound):
		return fmt.Errorf("the ledger has lost steps: %w: %w", job.ErrStale, err)
	case err != nil:
		return fmt.Errorf("residual for step %d: %w", step, err)
	}
	return nil
}
