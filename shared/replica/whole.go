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
func (r *Replica) Whole(ctx context.Context, l ledger.Reader) (ledger.Snapshot, error) {
	for tries := 1; ; tries++ {
		snap, err := r.Snapshot(ctx)
		if err != nil || !r.layout.Wire.Lossy() {
			return snap, err
		}
		residual := make([]float32, r.layout.Params)
		err = Residual(ctx, l, r.layout, ledger.LogRead{Step: snap.Step, Chunks: r.layout.AllChunks(), Dst: residual, Before: snap.Chain})
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

// Residual reads, of a lossy wire, the residual before a step that a replica has come to.
// It fails with job.ErrStale when the ledger has fewer steps: it has lost them.
func Residual(ctx context.Context, l ledger.Reader, lay ledger.Layout, read ledger.LogRead) error {
	err := l.Residual(ctx, lay, read)
	switch {
	case errors.Is(err, job.ErrNotFound):
		return fmt.Errorf("the ledger has lost steps: %w: %w", job.ErrStale, err)
	case err != nil:
		return fmt.Errorf("residual for step %d: %w", read.Step, err)
	}
	return nil
}
