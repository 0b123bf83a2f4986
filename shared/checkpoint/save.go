package checkpoint

import (
	"context"
	"fmt"

	"tributary/shared/blob"
	"tributary/shared/job"
	"tributary/shared/ledger"
	"tributary/shared/replica"
)

// Save writes a snapshot that was copied from a replica, of no step that the ledger
// lacks, with what the ledger knows beside it; the layout names the plan. The checkpoint
// is announced in the ledger before it is written. progress is called now and then. Save
// fails with job.ErrStale when the ledger has not come so far, or the replica has gone
// back since.
func Save(ctx context.Context, l Source, lay ledger.Layout, store blob.Store, r *replica.Replica, snap ledger.Snapshot, numerics job.Numerics, progress func()) (*Draft, error) {
	state, err := l.State(ctx, lay)
	if err != nil {
		return nil, fmt.Errorf("state for checkpoint %d: %w", snap.Step, err)
	}
	if snap.Step < 1 || state.Committed < snap.Step {
		return nil, fmt.Errorf("checkpoint of step %d: the ledger has %d steps: %w", snap.Step, state.Committed, job.ErrStale)
	}
	// The replica may go back while the ledger is read.
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
