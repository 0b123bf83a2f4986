package replica

import (
	"context"
	"fmt"
	"slices"

	"tributary/shared/ledger"
	"tributary/shared/numeric/team"
)

// Speculation. A process that computes a root by itself may fold it before the ledger has
// the step, and go on with the next step meanwhile. Then the fold is speculative: nobody
// else may use it as committed state until the process confirms it. There are two cases:
//
//   - The process appends one root to the log. It confirms the step before it folds the
//     next one, because only then it knows the log's chain after the step.
//   - One snapshot commits many steps (a batch commit). The process folds their roots one
//     after the other, each with its chain, and confirms the last.

// Speculate folds the root gradient [P] of a step that the ledger does not have yet, and
// reports whether it did. after is the log's chain after the step, or nil when it is not
// known yet. own says that the caller itself folded the steps before speculatively.
// Speculate folds the root if all of these hold:
//
//   - the step is the replica's next one, and the chain before it is known,
//   - nobody waits for a confirmed fold,
//   - own is true exactly when the fold is speculative already,
//   - the evaluations that the fold depends on can be read,
//   - ctx does not end before the replica is free.
//
// When it returns true, the caller must commit the step to the ledger and call Confirm, or
// else call Reset.
func (r *Replica) Speculate(ctx context.Context, by *team.Team, l ledger.Source, step int64, root []float32, sums ledger.Sums, after ledger.Chain, own bool) bool {
	if r.waiting.Load() > 0 || r.own(ctx) != nil {
		return false
	}
	defer r.lock.Release(everything)
	if r.step != step || r.chain == nil || (r.confirmed != nil) != own || r.learn(ctx, l) != nil {
		return false
	}
	if !own {
		r.confirmed = make(chan struct{})
	}
	r.fold(by, root, sums, after)
	return true
}

// Unconfirmed copies the fold into vectors, even if it is speculative. It allocates missing
// vectors. Only the caller of Speculate can use a speculative copy.
func (r *Replica) Unconfirmed(ctx context.Context, vectors [][]float32) (ledger.Snapshot, error) {
	if err := r.lock.Acquire(ctx, 1); err != nil {
		return ledger.Snapshot{}, fmt.Errorf("wait for the replica: %w", err)
	}
	defer r.lock.Release(1)
	return r.copy(vectors), nil
}

// Confirm records that the ledger has a speculative step. after is the log's chain after
// the step. If the fold has later steps, it stays speculative and Confirm does nothing.
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

// Speculative reports whether the fold has steps that the ledger may not have. It returns
// false when ctx ends before the replica is free.
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

// Complete folds the root gradient of a committed step if it is the replica's next step and
// the fold is confirmed; otherwise it does nothing. The caller has appended the given
// chunks of root [P]; after is the log's chain after them. Complete reads the other chunks
// from the log into root.
func (r *Replica) Complete(ctx context.Context, by *team.Team, l ledger.Source, step int64, root []float32, chunks []int, after ledger.Chain) error {
	if err := r.own(ctx); err != nil {
		return err
	}
	defer r.lock.Release(everything)
	if r.step != step || r.confirmed != nil {
		return nil
	}
	if err := r.learn(ctx, l); err != nil {
		return err
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

// follow sets the log's chain up to the replica's step, and marks the fold as confirmed.
// The caller holds the whole lock, or no other goroutine has the replica yet.
func (r *Replica) follow(chain ledger.Chain) {
	r.chain = chain
	if r.confirmed != nil {
		close(r.confirmed)
		r.confirmed = nil
	}
}
