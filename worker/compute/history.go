package compute

import (
	"context"
	"fmt"

	"tributary/shared/history"
	"tributary/shared/job"
	"tributary/shared/ledger"
	"tributary/shared/replica"
)

// remember stores the marks of the steps from … to-1 next to the ledger. Every snapshot
// calls it first, so that the log that the snapshot trims is no longer needed for the
// marks. It uses the marks of the steps that the replica folded one by one. The replica
// began with a snapshot that is not newer than from, so it has every mark. The one
// exception is a ledger that was restored from an older copy of itself: then remember
// folds the log again. It returns the units of the ledger's history.
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

// rememberLog does what remember does for the steps that the log has and the replica has
// not folded.
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
		return nil, nil // another worker made a snapshot meanwhile, and stored the marks before it
	}
	return history.Store(ctx, c.ledger, p.layout, from, marks[from-since:to-since])
}
