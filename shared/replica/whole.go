package replica

import (
	"context"
	"errors"
	"fmt"

	"tributary/shared/job"
	"tributary/shared/ledger"
)

// trims is how often the log may be trimmed past the replica while it is copied.
const trims = 5

// Whole copies the fold as it stands in the log and, of a lossy wire, reads the residual
// to it, which is the last vector then. Where that is trimmed off the log the replica goes
// on to the snapshot that was made since; where the ledger has lost it, Whole fails with
// job.ErrStale.
func (r *Replica) Whole(ctx context.Context, l ledger.Ledger) (ledger.Snapshot, error) {
	for tries := 1; ; tries++ {
		snap, err := r.Snapshot(ctx)
		if err != nil || !r.layout.Wire.Lossy() {
			return snap, err
		}
		residual := make([]float32, r.layout.Params)
		err = Residual(ctx, l, r.layout, snap.Step, r.layout.AllChunks(), residual, snap.Chain)
		if err == nil {
			snap.Vectors = append(snap.Vectors, residual)
			return snap, nil
		}
		if !errors.Is(err, job.ErrStale) || tries == trims {
			return snap, err
		}
		state, serr := l.State(ctx, r.layout)
		if serr != nil {
			return snap, errors.Join(err, serr)
		}
		verr := r.View(ctx, l, state.Snapshot, func([]float32, ledger.Chain) error { return nil })
		if verr != nil && !errors.Is(verr, job.ErrStale) {
			return snap, errors.Join(err, verr)
		}
	}
}

// Residual reads chunks of the residual of a lossy wire before a step that a replica has
// come to into their places in dst [P]. Where the ledger has not come so far it has lost
// steps: job.ErrStale.
func Residual(ctx context.Context, l ledger.Ledger, lay ledger.Layout, step int64, chunks []int, dst []float32, before ledger.Chain) error {
	err := l.Residual(ctx, lay, step, chunks, dst, before)
	switch {
	case errors.Is(err, job.ErrNotFound):
		return fmt.Errorf("the ledger has lost steps: %w: %w", job.ErrStale, err)
	case err != nil:
		return fmt.Errorf("residual for step %d: %w", step, err)
	}
	return nil
}
