package compute

import (
	"context"

	"tributary/shared/history"
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
	from = max(from, since)
	if to = min(to, since+int64(len(marks))); from >= to || to > history.MaxSteps {
		return nil
	}
	return history.Store(ctx, c.ledger, p.layout, from, marks[from-since:to-since])
}
