package replica

import (
	"context"
	"errors"
	"fmt"

	"tributary/shared/job"
	"tributary/shared/ledger"
)

// trims bounds the attempts of Whole: each fails when the ledger trims the log past the
// replica during the copy.
const trims = 5

// Whole returns a copy of the confirmed fold. With a lossy wire, it also reads the residual
// that belongs to the fold and adds it as the last vector. If the ledger has trimmed that
// residual, the replica advances to the newest snapshot and Whole tries again. Whole fails
// with job.ErrStale when the ledger has lost the steps.
func (r *Replica) Whole(ctx context.Context, l ledger.Source) (ledger.Snapshot, error) {
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

// Residual reads the residual before read.Step, with a lossy wire. The caller's replica is
// at that step. Residual fails with job.ErrStale when the ledger has fewer steps: it has
// lost them.
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
