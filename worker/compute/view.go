package compute

import (
	"context"
	"errors"
	"fmt"

	"tributary/shared/job"
	"tributary/shared/ledger"
	"tributary/shared/notice"
	"tributary/worker/course"
)

// view brings the replica to the task's step, which is progress. A task of a
// step that is committed is stale, and so is one that the ledger is not ready
// for: the job is over, or the ledger has lost steps before it. When it is
// this very step that the ledger has lost, the replica has folded what is no
// more and starts again from what there is.
func (c *Computer) view(ctx context.Context, p *program, t job.Task, progress func(), use func([]float32, ledger.Chain) error) error {
	ready := func(params []float32, chain ledger.Chain) error {
		progress()
		return use(params, chain)
	}
	err := p.replica.View(ctx, c.ledger, t.Step, ready)
	if !errors.Is(err, job.ErrStale) && !errors.Is(err, job.ErrNotFound) {
		return err
	}
	if p.replica.Speculative(ctx) {
		// The ledger may lack a step that this worker has folded: this one, or one before it.
		if failed := p.replica.WaitConfirmed(ctx); failed != nil {
			return failed
		}
		if err = p.replica.View(ctx, c.ledger, t.Step, ready); !errors.Is(err, job.ErrStale) && !errors.Is(err, job.ErrNotFound) {
			return err
		}
	}
	state, stateErr := c.ledger.State(ctx, p.layout)
	if stateErr != nil {
		return fmt.Errorf("is step %d stale? %w", t.Step, stateErr)
	}
	p.progress.correct(state.Committed)
	switch {
	case state.Committed < t.Step:
		return fmt.Errorf("step %d: the ledger has %d steps: %w", t.Step, state.Committed, course.ErrBehind)
	case errors.Is(err, job.ErrNotFound): // it has come so far meanwhile
		return p.replica.View(ctx, c.ledger, t.Step, ready)
	case state.Committed > t.Step:
		c.announced(c.announce.PublishCommit(notice.Commit{Ref: t.Ref, Step: t.Step, Committed: state.Committed}))
		return err
	}
	if err := p.replica.Reset(ctx); err != nil {
		return err
	}
	return p.replica.View(ctx, c.ledger, t.Step, ready)
}
