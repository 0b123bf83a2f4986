package replica

import (
	"context"
	"fmt"
	"slices"

	"tributary/shared/ledger"
	"tributary/shared/numeric/team"
)

// A process that computes a root by itself may fold it before the ledger has the step,
// and go on meanwhile: the fold is speculative then. Nobody may take it for the ledger's
// until the process confirms it. A root that is appended is confirmed before the next one
// is folded: the log's chain past it is known by then. Many roots that one snapshot
// commits are folded one after the other, each with its chain, and the process confirms
// the last.

// Speculate folds the root gradient of a step that the ledger does not have yet. after is
// the log's chain past the step, nil when it is not known yet. own says that the steps
// before are speculative too, and the caller's. The replica folds the root if the step is
// its next one, nobody waits for a confirmed fold, and own is true just when the fold is
// speculative; Speculate reports whether it did. The caller must bring the step into the
// ledger and call Confirm, or else call Reset.
func (r *Replica) Speculate(ctx context.Context, by *team.Team, step int64, root []float32, sums ledger.Sums, after ledger.Chain, own bool) bool {
	if r.waiting.Load() > 0 || r.own(ctx) != nil {
		return false
	}
	defer r.lock.Release(everything)
	if r.step != step || r.chain == nil || (r.confirmed != nil) != own {
		return false
	}
	if !own {
		r.confirmed = make(chan struct{})
	}
	r.fold(by, root, sums, after)
	return true
}

// Unconfirmed copies the fold into vectors, also a speculative one, which is of use only
// to the caller of Speculate. It makes vectors that are missing.
func (r *Replica) Unconfirmed(ctx context.Context, vectors [][]float32) (ledger.Snapshot, error) {
	if err := r.lock.Acquire(ctx, 1); err != nil {
		return ledger.Snapshot{}, fmt.Errorf("wait for the replica: %w", err)
	}
	defer r.lock.Release(1)
	return r.copy(vectors), nil
}

// Confirm says that the ledger has a step that was folded speculatively, and the log's
// chain past it. The fold stays speculative if it has later steps.
func (r *Replica) Confirm(ctx context.Context, step int64, after ledger.Chain) error {
	if err := r.own(ctx); err != nil {
		return err
	}
	defer r.lock.Release(everything)
	if r.step != step+1 || r.confirmed == nil {
		return nil
	}
	if r.chain == nil {
		r.mark(after)
	}
	r.follow(after)
	return nil
}

// Speculative reports whether the fold has steps that the ledger may lack.
func (r *Replica) Speculative(ctx context.Context) bool {
	if r.lock.Acquire(ctx, 1) != nil {
		return false
	}
	defer r.lock.Release(1)
	return r.confirmed != nil
}

// WaitConfirmed waits until the fold is not speculative.
func (r *Replica) WaitConfirmed(ctx context.Context) error {
	r.waiting.Add(1)
	defer r.waiting.Add(-1)
	for {
		if err := r.lock.Acquire(ctx, 1); err != nil {
			return fmt.Errorf("wait for the replica: %w", err)
		}
		confirmed := r.confirmed
		r.lock.Release(1)
		if confirmed == nil {
			return nil
		}
		select {
		case <-confirmed:
		case <-ctx.Done():
			return fmt.Errorf("wait for the replica: %w", ctx.Err())
		}
	}
}

// Complete folds the root gradient of a committed step, when it is the replica's
// next one. The caller has appended the given chunks of root [P], past which the
// log's chain is after; the others are read from the log.
func (r *Replica) Complete(ctx context.Context, by *team.Team, l ledger.Reader, step int64, root []float32, chunks []int, after ledger.Chain) error {
	if err := r.own(ctx); err != nil {
		return err
	}
	defer r.lock.Release(everything)
	if r.step != step || r.confirmed != nil {
		return nil
	}
	have := make(map[int]bool, len(chunks))
	for _, c := range chunks {
		have[c] = true
	}
	missing := slices.DeleteFunc(r.layout.AllChunks(), func(c int) bool { return have[c] })
	sums, chain, err := l.Root(ctx, r.layout, ledger.LogRead{Step: step, Chunks: missing, Dst: root, Before: r.chain})
	if err != nil {
		return fmt.Errorf("fold step %d: %w", step, err)
	}
	chain = slices.Clone(chain)
	for _, c := range chunks {
		chain[c] = after[c]
	}
	r.fold(by, root, sums, chain)
	return nil
}

// follow sets the log's chain up to the fold, which is confirmed then. The lock is
// held with everything, or the replica is not yet shared.
func (r *Replica) follow(chain ledger.Chain) {
	r.chain = chain
	if r.confirmed != nil {
		close(r.confirmed)
		r.confirmed = nil
	}
}
