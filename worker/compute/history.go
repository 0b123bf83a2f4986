package compute

import (
	"context"
	"fmt"

	"tributary/shared/history"
	"tributary/shared/job"
)

// remember puts the marks of the steps from … to-1, as far as the replica has
// folded them one by one, beside the ledger. Whoever snapshots does so first: the
// log that the snapshot trims is not needed for them afterwards. A replica begins
// with a snapshot that is not newer, so no step is left out between the two.
func (c *Computer) remember(ctx context.Context, p *program, from, to int64) error {
	since, marks, err := p.replica.Marks(ctx)
	if err != nil {
		return err
	}
	if n := since + int64(len(marks)); n < to {
		return fmt.Errorf("marks of %d steps: the replica has gone back to step %d: %w", to, n, job.ErrStale)
	}
	if from = max(from, since); from >= to || to > history.MaxSteps {
		return nil
	}
	return history.Store(ctx, c.ledger, p.layout, from, marks[from-since:to-since])
}
