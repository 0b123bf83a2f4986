package replica

import (
	"context"
	"fmt"
	"slices"

	"tributary/shared/ledger"
	"tributary/shared/numeric/team"
)

// Whoever computes roots by itself may fold them before they are in the ledger, and go
// on meanwhile: it leads. Until the ledger has them the fold is not settled, and nobody
// may take it for the ledger's. A root that is appended is settled before the next; its
// link of the log's chain is known by then. Many that are committed by one snapshot are
// followed by their links, and settled when the ledger has the last.

// Lead folds the root gradient of a step that is on its way to the ledger, after which
// the log's chain is after, nil when that is not known yet. It does when this is the
// replica's next step, nobody waits for a settled fold, and the caller leads already if
// anybody does; it reports whether it did. The caller must see to it that the ledger
// gets the step and call Settle, or Forget.
func (r *Replica) Lead(ctx context.Context, by *team.Team, step int64, root []float32, sums ledger.Sums, after ledger.Chain, leads bool) bool {
	if r.still.Load() > 0 || r.own(ctx) != nil {
		return false
	}
	defer r.lock.Release(everything)
	if r.step != step || r.chain == nil || (r.settled != nil) != leads {
		return false
	}
	if !leads {
		r.settled = make(chan struct{})
	}
	r.fold(by, root, sums, after)
	return true
}

// Led copies the fold into vectors, though it may be led; only its leader knows what
// that is good for. Vectors that are missing are made.
func (r *Replica) Led(ctx context.Context, vectors [][]float32) (ledger.Snapshot, error) {
	if err := r.lock.Acquire(ctx, 1); err != nil {
		return ledger.Snapshot{}, fmt.Errorf("wait for the replica: %w", err)
	}
	defer r.lock.Release(1)
	return r.copy(vectors), nil
}

// Settle tells that the ledger has a step that was led, and the log's chain past it.
// It settles the fold unless a later one is led.
func (r *Replica) Settle(ctx context.Context, step int64, after ledger.Chain) error {
	if err := r.own(ctx); err != nil {
		return err
	}
	defer r.lock.Release(everything)
	if r.step != step+1 || r.settled == nil {
		return nil
	}
	if r.chain == nil {
		r.mark(after)
	}
	r.follow(after)
	return nil
}

// Leads reports whether the fold is ahead of the ledger.
func (r *Replica) Leads(ctx context.Context) bool {
	if r.lock.Acquire(ctx, 1) != nil {
		return false
	}
	defer r.lock.Release(1)
	return r.settled != nil
}

// Settled waits until the fold is not ahead of the ledger.
func (r *Replica) Settled(ctx context.Context) error {
	r.still.Add(1)
	defer r.still.Add(-1)
	for {
		if err := r.lock.Acquire(ctx, 1); err != nil {
			return fmt.Errorf("wait for the replica: %w", err)
		}
		settled := r.settled
		r.lock.Release(1)
		if settled == nil {
			return nil
		}
		select {
		case <-settled:
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
	if r.step != step || r.settled != nil {
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

// follow sets the log's chain up to the fold, which is settled then. The lock is
// held with everything, or the replica is not yet shared.
func (r *Replica) follow(chain ledger.Chain) {
	r.chain = chain
	if r.settled != nil {
		close(r.settled)
		r.settled = nil
	}
}
