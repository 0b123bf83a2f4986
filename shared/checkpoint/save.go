package checkpoint

import (
	"context"
	"fmt"

	"tributary/shared/blob"
	"tributary/shared/job"
	"tributary/shared/ledger"
	"tributary/shared/replica"
)

// Save writes a checkpoint of snap, with the losses, marks and evaluations of the ledger;
// snap is a copy of the fold of r, of committed steps. The layout names the plan. Save
// announces the checkpoint in the ledger before it writes it. It calls progress repeatedly.
// It fails with job.ErrStale when the ledger has fewer steps, or when the replica has gone
// back to an earlier step since.
func Save(ctx context.Context, l ledger.Source, lay ledger.Layout, store blob.Store, r *replica.Replica, snap ledger.Snapshot, numerics job.Numerics, progress func()) (*Draft, error) {
	state, err := l.State(ctx, lay)
	if err != nil {
		return nil, fmt.Errorf("state for checkpoint %d: %w", snap.Step, err)
	}
	if snap.Step < 1 || state.Committed < snap.Step {
		return nil, fmt.Errorf("checkpoint of step %d: the ledger has %d steps: %w", snap.Step, state.Committed, job.ErrStale)
	}
	// The replica may go back to an earlier step while Save reads the ledger.
	from, marks, err := r.Marks(ctx)
	if err != nil {
		return nil, err
	}
	if n := from + int64(len(marks)); n < snap.Step {
		return nil, fmt.Errorf("checkpoint of step %d: the replica has gone back to step %d: %w", snap.Step, n, job.ErrStale)
	}
	s, err := Gather(ctx, l, lay, snap)
	if err != nil {
		return nil, err
	}
	if err := s.Remember(from, marks); err != nil {
		return nil, err
	}
	progress()
	s.Plan, s.Numerics = lay.Plan, numerics
	d, err := NewDraft(s)
	if err != nil {
		return nil, err
	}
	progress()
	if err := d.Announce(ctx, l, lay); err != nil {
		return nil, err
	}
	return d, d.Write(ctx, store, progress)
}
