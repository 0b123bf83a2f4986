package compute

import (
	"context"
	"errors"
	"fmt"

	"tributary/shared/job"
	"tributary/shared/ledger"
	"tributary/shared/notice"
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
		// A step that this worker knows is being appended: this one, or one before it.
		if settled := p.replica.WaitConfirmed(ctx); settled != nil {
			return settled
		}
		if err = p.replica.View(ctx, c.ledger, t.Step, ready); !errors.Is(err, job.ErrStale) && !errors.Is(err, job.ErrNotFound) {
			return err
		}
	}
	state, stateErr := c.ledger.State(ctx, p.layout)
	if stateErr != nil {
		return fmt.Errorf("is step %d stale? %w", t.Step, stateErr)
	}
	p.horizon.correct(state.Committed)
	switch {
	case state.Committed < t.Step:
		return fmt.Errorf("step %d: the ledger has %d steps: %w", t.Step, state.Committed, errBehind)
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

// append appends root-gradient chunks to the log and announces the step when
// that committed it, unless it is to be quiet about it.
func (c *Computer) append(ctx context.Context, p *program, step int64, chunks []int, root ledger.Partial, residual []float32, before ledger.Chain, quiet bool) (ledger.Chain, error) {
	committed, after, err := c.ledger.Append(ctx, p.layout, ledger.LogWrite{Step: step, Chunks: chunks, Root: root, Residual: residual, Before: before})
	if err != nil {
		return nil, fmt.Errorf("append root gradient: %w", err)
	}
	if committed {
		p.horizon.advance(step + 1)
		if quiet {
			return after, nil
		}
		c.announced(c.announce.PublishCommit(notice.Commit{Ref: p.layout.Ref, Step: step, Committed: step + 1}))
	}
	return after, nil
}
