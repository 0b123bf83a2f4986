package compute

import (
	"context"
	"fmt"

	"tributary/shared/job"
	"tributary/shared/ledger"
	"tributary/shared/lifecycle"
)

// appending is an append of a root in flight, while the next step is computed.
type appending struct {
	*lifecycle.Running
	step  int64
	after ledger.Chain // set when Wait returns without an error
}

// append appends chunks of the root gradient to the log. If that commits the step, it
// announces the step, unless quiet is set. It returns the chain past the step.
func (c *Computer) append(ctx context.Context, p *program, step int64, chunks []int, root ledger.Partial, residual []float32, before ledger.Chain, quiet bool) (ledger.Chain, error) {
	committed, after, err := c.ledger.Append(ctx, p.layout, ledger.LogWrite{Step: step, Chunks: chunks, Root: root, Residual: residual, Before: before})
	if err != nil {
		return nil, fmt.Errorf("append root gradient: %w", err)
	}
	if committed {
		p.progress.advance(step + 1)
		if quiet {
			return after, nil
		}
		c.announceCommit(p, step, step+1)
	}
	return after, nil
}

// appendNow appends the chunks of the root that the task has. If these are the whole
// root, it offers the root to the replica, which folds it.
func (st *stepper) appendNow(ctx context.Context, step int64, whole bool) error {
	if whole {
		st.p.norms.see(st.Clock, st.p.engine, step, st.root)
	}
	after, err := st.append(ctx, st.p, step, st.chunks, st.root, st.carried.v, st.chain, false)
	st.endPhase(Committing)
	switch {
	case err != nil:
		return err
	case whole:
		st.p.replica.Offer(ctx, st.s.Team(), st.ledger, step, st.root.Gradient, st.root.Sums, after)
		st.endPhase(Folding)
	default:
		st.appended = &appendedChunks{step: step, root: st.root.Gradient, chunks: st.chunks, after: after}
	}
	return nil
}

// startAppend starts to append a root in the background. The replica has already folded
// it.
func (st *stepper) startAppend(ctx context.Context, step int64, quiet bool) {
	own := &appending{step: step}
	root, chain := st.root, st.chain
	own.Running = lifecycle.Start("append", func() (err error) {
		endPhase := st.Time.start()
		defer func() { endPhase(Appending) }()
		own.after, err = st.append(ctx, st.p, step, st.p.layout.AllChunks(), root, st.carried.v, chain, quiet)
		if err != nil || st.p.progress.committed() > step {
			return err
		}
		// This append did not commit the step: another worker did, or an earlier step is
		// missing.
		state, err := st.ledger.State(ctx, st.p.layout)
		if err == nil && state.Committed <= step {
			err = fmt.Errorf("step %d: the ledger has %d steps: %w", step, state.Committed, job.ErrStale)
		}
		return err
	})
	st.appending = own
}

// waitAppend waits for the append in flight. Then the log's chain is known, and the
// replica confirms the step.
func (st *stepper) waitAppend(ctx context.Context) error {
	own := st.appending
	err := own.Wait() // the append ends when ctx ends
	st.appending = nil
	if err == nil {
		st.chain = own.after
		err = st.p.replica.Confirm(ctx, own.step, own.after)
	}
	st.endPhase(Committing)
	return err
}
