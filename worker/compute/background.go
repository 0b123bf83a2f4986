package compute

import (
	"cmp"
	"context"
	"errors"
	"fmt"

	"tributary/shared/job"
	"tributary/shared/ledger"
	"tributary/shared/metric"
	"tributary/shared/notice"
)

// evaluate computes the contribution of one block to a split's metrics.
func (c *Computer) evaluate(ctx context.Context, p *program, s *scratch, t job.Task, progress func()) error {
	var unit *metric.Sums
	err := c.view(ctx, p, t, progress, func([]float32, ledger.Chain) (err error) {
		unit, err = p.engine.Evaluate(ctx, s.Scratch, p.replica.Answering(cmp.Or(t.Best, t.Step)), t.Split, t.Block)
		return err
	})
	if err != nil {
		return err
	}
	stored, err := c.ledger.PutEvaluation(ctx, p.layout, t.Step, t.Unit(), unit.Encode())
	if err != nil {
		return fmt.Errorf("store evaluation: %w", err)
	}
	c.announced(c.announce.PublishEvaluated(notice.Evaluated{Ref: t.Ref, Step: t.Step, Stored: stored}))
	return nil
}

// still copies the replica, at the task's step or a later one, and reads the state of the
// ledger.
func (c *Computer) still(ctx context.Context, p *program, t job.Task, progress func()) (ledger.Snapshot, ledger.State, error) {
	nothing := func([]float32, ledger.Chain) error { return nil }
	err := c.view(ctx, p, t, progress, nothing)
	if err != nil && !errors.Is(err, job.ErrStale) {
		return ledger.Snapshot{}, ledger.State{}, err
	}
	snap, snapErr := p.replica.Whole(ctx, c.ledger)
	if snapErr != nil {
		return snap, ledger.State{}, snapErr
	}
	if snap.Step < t.Step {
		return snap, ledger.State{}, err // stale: the ledger has fewer steps than the task's step
	}
	state, err := c.ledger.State(ctx, p.layout)
	if err != nil {
		return snap, state, fmt.Errorf("state for %s: %w", t.Kind, err)
	}
	return snap, state, nil
}

// snapshot stores the replica in the ledger, at the task's step or a later one.
func (c *Computer) snapshot(ctx context.Context, p *program, t job.Task, progress func()) error {
	snap, state, err := c.still(ctx, p, t, progress)
	if err != nil {
		return err
	}
	if state.Snapshot < snap.Step && snap.Step <= state.Committed {
		if _, err := c.remember(ctx, p, state.Snapshot, snap.Step); err != nil {
			return err
		}
		if err := c.ledger.PutSnapshot(ctx, p.layout, snap); err != nil {
			return fmt.Errorf("store snapshot of step %d: %w", snap.Step, err)
		}
		state.Snapshot = snap.Step
	}
	c.announced(c.announce.PublishSnapshotted(notice.Snapshotted{Ref: t.Ref, Step: state.Snapshot}))
	return nil
}
