package compute

import (
	"context"
	"errors"
	"fmt"

	"tributary/shared/job"
	"tributary/shared/ledger"
	"tributary/worker/course"
)

// view brings the replica to the task's step and calls use with the parameters and the
// chain. It calls progress before use.
//
// view fails with job.ErrStale if the step is already committed, and with
// course.ErrBehind if the ledger does not have the steps before it: then the job is over,
// or the ledger has lost steps. If the ledger has lost exactly the steps that the replica
// folded from the task's step on, view resets the replica and starts again from the
// ledger.
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
		// The ledger may lack a step that this worker has folded: this step, or an
		// earlier one.
		if failed := p.replica.WaitConfirmed(ctx); failed != nil {
			return failed
		}
		if err = p.replica.View(ctx, c.ledger, t.Step, ready); !errors.Is(err, job.ErrStale) && !errors.Is(err, job.ErrNotFound) {
			return err
		}
	}
	state, stateErr := c.ledger.State(ctx, p.layout)
	if stateErr != nil {
		return fmt.Errorf("check whether step %d is stale: %w", t.Step, stateErr)
	}
	p.progress.correct(state.Committed)
	switch {
	case state.Committed < t.Step:
		return fmt.Errorf("step %d: the ledger has %d steps: %w", t.Step, state.Committed, course.ErrBehind)
	case errors.Is(err, job.ErrNotFound): // the ledger has come to the step meanwhile
		return p.replica.View(ctx, c.ledger, t.Step, ready)
	case state.Committed > t.Step:
		c.announceCommit(p, t.Step, state.Committed)
		return err
	}
	if err := p.replica.Reset(ctx); err != nil {
		return err
	}
	return p.replica.View(ctx, c.ledger, t.Step, ready)
}
