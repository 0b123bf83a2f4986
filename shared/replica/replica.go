// Package replica keeps one process's copy of a job's training state: the parameters and
// the optimizer state after some number of steps. A replica computes them by applying
// ("folding") the root gradients of the job's update log, one step after the other.
//
// The package brings a replica to a given step, from a snapshot and the log. It hands out
// the parameters and keeps them unchanged while a caller uses them. It does not decide
// which step to go to: its callers do. A worker keeps one replica per job. The coordinator
// makes one to save the model.
//
// Invariant: the vectors at step t have the same bits in every process, because folding is
// a pure function of the root gradients and the recorded evaluations. So a process may discard a replica at any time. A
// replica follows the log's hash chain: it never folds a step that belongs to another
// history than the steps that it has folded.
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
	"tributary/shared/monitor"
	"tributary/shared/numeric/team"
)

// Replica is the training state of one job, after some number of steps. It is safe for
// concurrent use.
type Replica struct {
	engine *gradient.Engine
	layout ledger.Layout

	// lock is a read-write lock. A reader acquires weight 1; the goroutine that changes the
	// fold acquires the weight everything. It is not a mutex, because a goroutine holds it
	// while it reads the ledger: a goroutine that waits for the lock must stop when its
	// context ends.
	lock    *semaphore.Weighted
	step    int64            // steps folded
	vectors [][]float32      // the training state, see gradient.Engine; each [P]
	monitor *monitor.Monitor // the evaluations up to step that the fold depends on; nil: it depends on none
	chain   ledger.Chain     // the log's chain, up to step; nil while the link of the last step is not known
	root    []float32        // scratch for the log's next root gradient
	// marks are the marks of the newest folded steps; the last one is that of step-1. They
	// begin at the step where the fold was loaded, and there are at most maxMarks of them.
	marks []ledger.Mark

	waiting   atomic.Int32  // number of goroutines that wait for a confirmed fold
	confirmed chan struct{} // nil when the fold is confirmed; closed when it stops being speculative; guarded by lock
}

// everything is the whole weight of lock: who holds it is alone.
const everything = math.MaxInt64

// New returns the replica at step 0.
func New(e *gradient.Engine, ref job.Ref) *Replica {
	r := &Replica{engine: e, layout: e.Layout(ref), lock: semaphore.NewWeighted(everything)}
	r.vectors = make([][]float32, e.Vectors())
	for i := range r.vectors {
		r.vectors[i] = make([]float32, r.layout.Params)
	}
	r.root = make([]float32, r.layout.Params)
	r.restart()
	return r
}

// restart sets the replica to the initial parameters, at step 0. The fold is confirmed
// then.
func (r *Replica) restart() {
	r.step, r.marks, r.monitor = 0, nil, monitor.New(&r.engine.Plan.Spec)
	r.follow(r.layout.Genesis())
	for _, v := range r.vectors {
		clear(v)
	}
	r.engine.Initial(r.vectors[0])
}

// restartUnless restarts the replica unless *whole is true. Callers defer it: after an
// error or a panic, the vectors may be half overwritten.
func (r *Replica) restartUnless(whole *bool) {
	if !*whole {
		r.restart()
	}
}

// Bytes returns the memory of the replica's vectors, in bytes.
func (r *Replica) Bytes() int64 {
	return int64(len(r.vectors)+1) * int64(r.layout.Params) * 4
}

// View brings the replica to step and calls use with the parameters [P] and the log's chain
// before that step. The chain is nil while the fold is speculative. The parameters do not
// change until use returns. View fails with job.ErrStale when the replica has folded more
// than step steps: the step is already committed.
func (r *Replica) View(ctx context.Context, l ledger.Source, step int64, use func(params []float32, chain ledger.Chain) error) error {
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

// hold calls use if the replica is at step, and keeps it there until use returns. It
// returns the step at which the replica is.
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

// own acquires the whole lock: it waits until nobody else uses the replica. The caller
// releases the weight everything.
func (r *Replica) own(ctx context.Context) error {
	if err := r.lock.Acquire(ctx, everything); err != nil {
		return fmt.Errorf("wait for the replica: %w", err)
	}
	return nil
}

// advance folds the log up to step. Where the log is trimmed, it loads the newest snapshot
// and continues from there.
func (r *Replica) advance(ctx context.Context, l ledger.Source, step int64) error {
	if err := r.own(ctx); err != nil {
		return err
	}
	defer r.lock.Release(everything)
	behind := false // whether the last snapshot was older than the log's first step
	for r.step < step {
		if r.confirmed != nil {
			return fmt.Errorf("fold step %d: the step before it is in flight to the ledger: %w", r.step, job.ErrNotFound)
		}
		if err := r.learn(ctx, l); err != nil {
			return err
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
			// Between the two reads, somebody may have replaced the ledger by an older copy
			// of itself. A second attempt shows whether that happened or the ledger is
			// damaged.
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

// load replaces the fold by the newest snapshot of the ledger.
func (r *Replica) load(ctx context.Context, l ledger.Source) error {
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
	r.step, r.marks, r.monitor = step, nil, monitor.New(&r.engine.Plan.Spec)
	r.follow(chain)
	return nil
}

// fold applies one root gradient [P] with the threads of the team by (nil: without a team).
// after is the log's chain after the step, or nil when it is not known yet.
func (r *Replica) fold(by *team.Team, root []float32, sums ledger.Sums, after ledger.Chain) {
	whole := false
	defer r.restartUnless(&whole)
	r.engine.Advance(by, r.vectors, r.step, r.monitor, root, sums)
	whole = true
	r.step, r.chain = r.step+1, after
	r.mark(after)
}

// Offer folds the root gradient of a committed step if it is the replica's next step and
// the fold is confirmed. after is the log's chain after the step. Offer saves the replica
// reading the step from the log. It folds nothing when ctx ends before the replica is free,
// or when an evaluation that the fold depends on cannot be read.
func (r *Replica) Offer(ctx context.Context, by *team.Team, l ledger.Source, step int64, root []float32, sums ledger.Sums, after ledger.Chain) {
	if r.own(ctx) != nil {
		return
	}
	defer r.lock.Release(everything)
	if r.step == step && r.confirmed == nil && r.learn(ctx, l) == nil {
		r.fold(by, root, sums, after)
	}
}

// Snapshot returns a copy of the fold. It waits while the fold is speculative, so the copy
// holds committed steps only.
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

// copy copies the fold into the vectors of into and allocates the missing ones. The caller
// holds the lock.
func (r *Replica) copy(into [][]float32) ledger.Snapshot {
	s := ledger.Snapshot{Step: r.step, Vectors: slices.Grow(into[:0], len(r.vectors))[:len(r.vectors)], Chain: r.chain}
	for i, v := range r.vectors {
		s.Vectors[i] = append(s.Vectors[i][:0], v...)
	}
	return s
}

// Reset sets the replica back to step 0. Callers use it when the ledger lacks steps that
// the replica has folded.
func (r *Replica) Reset(ctx context.Context) error {
	if err := r.own(ctx); err != nil {
		return err
	}
	defer r.lock.Release(everything)
	r.restart()
	return nil
}
