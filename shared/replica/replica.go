// Package replica is a process's cached fold of a job's update log: the
// parameters and optimizer state after some number of steps.
//
// It owns bringing the fold to a step, from a snapshot and the log, and
// handing out the parameters while they hold still. It decides nothing. Workers
// keep one per job; the coordinator makes one to save the model.
//
// Invariant: the vectors at step t are the same bits in every process, because
// folding is a pure function of the root gradients; so a replica may be thrown
// away at any time. It follows the log's hash chain: it never folds a step of
// another history than the one it has folded so far.
package replica

import (
	"context"
	"errors"
	"fmt"
	"math"
	"slices"
	"sync/atomic"

	"golang.org/x/sync/semaphore"

	"tributary/shared/gradient"
	"tributary/shared/job"
	"tributary/shared/ledger"
	"tributary/shared/numeric/team"
)

// Replica is one job's fold. It is safe for concurrent use.
type Replica struct {
	engine *gradient.Engine
	layout ledger.Layout

	// lock is held by readers with weight 1 and by the one who changes the fold
	// with everything. It is no mutex, because it is held while the ledger is
	// read: whoever waits for it can still be stopped.
	lock    *semaphore.Weighted
	step    int64        // steps folded
	vectors [][]float32  // parameters, then optimizer state; each [P]
	chain   ledger.Chain // the log's, up to step; nil while the last step's link is not known
	root    []float32    // scratch for the log's next root gradient
	// marks are those of the newest steps folded, the last that of step-1. They
	// begin where the fold was loaded, at most maxMarks steps back.
	marks []ledger.Mark

	waiting   atomic.Int32  // how many wait for a confirmed fold
	confirmed chan struct{} // nil, or closed when the fold is no longer speculative; guarded by lock
}

// everything is the weight of lock.
const everything = math.MaxInt64

// New returns the replica at step 0.
func New(e *gradient.Engine, ref job.Ref) *Replica {
	r := &Replica{engine: e, layout: e.Layout(ref), lock: semaphore.NewWeighted(everything)}
	r.vectors = make([][]float32, 1+e.Fold.Vectors())
	for i := range r.vectors {
		r.vectors[i] = make([]float32, r.layout.Params)
	}
	r.root = make([]float32, r.layout.Params)
	r.restart()
	return r
}

// restart goes back to the parameters before the first step.
func (r *Replica) restart() {
	r.step, r.marks = 0, nil
	r.follow(r.layout.Genesis())
	for _, v := range r.vectors {
		clear(v)
	}
	r.engine.Initial(r.vectors[0])
}

// restartUnless begins anew when the vectors may be half overwritten: after an error, or
// a panic.
func (r *Replica) restartUnless(whole *bool) {
	if !*whole {
		r.restart()
	}
}

// Bytes is the memory that the replica's vectors take.
func (r *Replica) Bytes() int64 {
	return int64(len(r.vectors)+1) * int64(r.layout.Params) * 4
}

// View brings the replica to step and calls use with the parameters [P] and
// the log's chain before that step, nil while the fold is speculative; the parameters hold still until it returns. It fails with job.ErrStale when the replica has
// folded past step: the step is committed.
func (r *Replica) View(ctx context.Context, l ledger.Reader, step int64, use func(params []float32, chain ledger.Chain) error) error {
	for {
		at, err := r.hold(ctx, step, use)
		switch {
		case at == step || err != nil:
			return err
		case at > step:
			return fmt.Errorf("parameters are at step %d, past step %d: %w", at, step, job.ErrStale)
		}
		if err := r.advance(ctx, l, step); err != nil {
			return err
		}
	}
}

// hold calls use while the replica is kept at step, if that is where it is,
// and returns where it is.
func (r *Replica) hold(ctx context.Context, step int64, use func(params []float32, chain ledger.Chain) error) (at int64, err error) {
	if err := r.lock.Acquire(ctx, 1); err != nil {
		return 0, fmt.Errorf("wait for the replica: %w", err)
	}
	defer r.lock.Release(1)
	if r.step == step {
		chain := r.chain
		if r.confirmed != nil {
			chain = nil
		}
		err = use(r.vectors[0], chain)
	}
	return r.step, err
}

// own waits until nobody else uses the replica; the caller releases everything.
func (r *Replica) own(ctx context.Context) error {
	if err := r.lock.Acquire(ctx, everything); err != nil {
		return fmt.Errorf("wait for the replica: %w", err)
	}
	return nil
}

// advance folds the log up to step, from a snapshot where the log is trimmed.
func (r *Replica) advance(ctx context.Context, l ledger.Reader, step int64) error {
	if err := r.own(ctx); err != nil {
		return err
	}
	defer r.lock.Release(everything)
	behind := false // a snapshot was older than the log's beginning
	for r.step < step {
		if r.confirmed != nil {
			return fmt.Errorf("fold step %d: the step before is on its way to the ledger: %w", r.step, job.ErrNotFound)
		}
		sums, after, err := l.Root(ctx, r.layout, ledger.LogRead{Step: r.step, Chunks: r.layout.AllChunks(), Dst: r.root, Before: r.chain})
		switch {
		case err == nil:
			r.fold(nil, r.root, sums, after)
		case errors.Is(err, job.ErrStale):
			from := r.step
			if err := r.load(ctx, l); err != nil {
				return err
			}
			// Between the two reads the ledger may have been put back to an
			// older copy of itself; a second look tells that from a damaged one.
			if r.step <= from && behind {
				return fmt.Errorf("log is trimmed at step %d, but the newest snapshot is at %d: %w", from, r.step, job.ErrCorrupt)
			}
			behind = r.step <= from
		default:
			return fmt.Errorf("fold step %d: %w", r.step, err)
		}
	}
	return nil
}

// load replaces the fold by the newest snapshot.
func (r *Replica) load(ctx context.Context, l ledger.Reader) error {
	vectors := r.vectors
	if r.layout.Wire.Lossy() {
		vectors = append(slices.Clone(vectors), r.root) // the residual, which the fold does not need
	}
	whole := false
	defer r.restartUnless(&whole)
	step, chain, err := l.Snapshot(ctx, r.layout, vectors)
	if err != nil {
		return fmt.Errorf("load snapshot: %w", err)
	}
	whole = true
	r.step, r.marks = step, nil
	r.follow(chain)
	return nil
}

// fold applies one root gradient in the threads of a team, nil for none, after which the log's chain is after.
func (r *Replica) fold(by *team.Team, root []float32, sums ledger.Sums, after ledger.Chain) {
	whole := false
	defer r.restartUnless(&whole)
	r.engine.Fold.ApplyBy(by, r.vectors[0], r.vectors[1:], r.step, root, r.engine.Divisor(sums))
	whole = true
	r.step, r.chain = r.step+1, after
	r.mark(after)
}

// Offer folds the root gradient of a step that is committed, when it is the
// replica's next one, and takes over the log's chain after it; it saves reading
// the step back from the log. When ctx ends before the replica is free, nothing
// is folded.
func (r *Replica) Offer(ctx context.Context, by *team.Team, step int64, root []float32, sums ledger.Sums, after ledger.Chain) {
	if r.own(ctx) != nil {
		return
	}
	defer r.lock.Release(everything)
	if r.step == step && r.confirmed == nil {
		r.fold(by, root, sums, after)
	}
}

// Snapshot copies the fold as it stands in the log. It waits while the fold is speculative.
func (r *Replica) Snapshot(ctx context.Context) (ledger.Snapshot, error) {
	r.waiting.Add(1)
	defer r.waiting.Add(-1)
	for {
		if err := r.lock.Acquire(ctx, 1); err != nil {
			return ledger.Snapshot{}, fmt.Errorf("wait for the replica: %w", err)
		}
		confirmed := r.confirmed
		if confirmed == nil {
			break
		}
		r.lock.Release(1)
		select {
		case <-confirmed:
		case <-ctx.Done():
			return ledger.Snapshot{}, fmt.Errorf("wait for the replica: %w", ctx.Err())
		}
	}
	defer r.lock.Release(1)
	return r.copy(nil), nil
}

// copy copies the fold into vectors, or into new ones. The lock is held.
func (r *Replica) copy(into [][]float32) ledger.Snapshot {
	s := ledger.Snapshot{Step: r.step, Vectors: slices.Grow(into[:0], len(r.vectors))[:len(r.vectors)], Chain: r.chain}
	for i, v := range r.vectors {
		s.Vectors[i] = append(s.Vectors[i][:0], v...)
	}
	return s
}

// Reset goes back to step 0, for a ledger that has lost the steps folded here.
func (r *Replica) Reset(ctx context.Context) error {
	if err := r.own(ctx); err != nil {
		return err
	}
	defer r.lock.Release(everything)
	r.restart()
	return nil
}
