package compute

import (
	"context"
	"fmt"

	"tributary/shared/history"
	"tributary/shared/job"
	"tributary/shared/ledger"
	"tributary/shared/replica"
)

// remember puts the marks of the steps from … to-1, as far as the replica has
// folded them one by one, beside the ledger. Whoever snapshots does so first: the
// log that the snapshot trims is not needed for them afterwards. A replica begins
// with a snapshot that is not newer, so no step is left out between the two; but for
// a ledger that was put back to an older copy of itself, whose log is folded anew. It
// returns the units of the ledger's history.
func (c *Computer) remember(ctx context.Context, p *program, from, to int64) (units []string, err error) {
	since, marks, err := p.replica.Marks(ctx)
	if err != nil {
		return nil, err
	}
	if n := since + int64(len(marks)); n < to {
		return nil, fmt.Errorf("marks of %d steps: the replica has gone back to step %d: %w", to, n, job.ErrStale)
	}
	if from >= to || to > history.MaxSteps {
		return nil, nil
	}
	if from < since {
		if units, err = c.rememberLog(ctx, p, from, min(since, to)); err != nil {
			return nil, err
		}
	}
	if from = max(from, since); from >= to {
		return units, nil
	}
	more, err := history.Store(ctx, c.ledger, p.layout, from, marks[from-since:to-since])
	return append(units, more...), err
}

// rememberLog does so for steps that the replica has not folded and the log has.
func (c *Computer) rememberLog(ctx context.Context, p *program, from, to int64) (units []string, err error) {
	again := replica.New(p.engine, p.layout.Ref)
	if err := again.View(ctx, c.ledger, to, func([]float32, ledger.Chain) error { return nil }); err != nil {
		return nil, fmt.Errorf("marks of steps %d to %d: %w", from, to, err)
	}
	since, marks, err := again.Marks(ctx)
	if err != nil {
		return nil, err
	}
	if from = max(from, since); from >= to {
		return nil, nil // another snapshot was made meanwhile, and its maker remembered
	}
	return history.Store(ctx, c.ledger, p.layout, from, marks[from-since:to-since])
}
