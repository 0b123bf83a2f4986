package compute

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync/atomic"

	"tributary/shared/gradient"
	"tributary/shared/job"
	"tributary/shared/ledger"
	"tributary/shared/lifecycle"
	"tributary/shared/notice"
	"tributary/shared/tree"
)

// Whoever has the roots of many steps by itself does not give the ledger each of
// them: it goes on from step to step, and commits them with the snapshot after them,
// while it computes the next ones. The ledger is as if the roots had been logged and
// trimmed. What was not committed when the worker dies is computed again.

// leap is steps that this worker has folded and the ledger is to get at once.
type leap struct {
	from int64
	sums []ledger.Sums
}

// flight is a leap on its way to the ledger.
type flight struct {
	leap
	snapshot ledger.Snapshot
	done     chan struct{} // closed when err is set
	err      error
}

// ahead is how far a span has gone beyond the ledger.
type ahead struct {
	chain   ledger.Chain // the log's, up to the replica's step; nil: it is not ahead
	open    *leap        // the steps since the last leap; nil when there are none
	flight  *flight      // the last leap; nil when it has landed
	vectors [][]float32  // for the snapshot of the next
	links   links
}

// worthALeap reports whether so many steps are better committed by their snapshot, which
// has the optimizer's vectors too, than by their roots.
func (sp *span) worthALeap(steps int64) bool {
	lay := sp.p.layout
	return steps > int64(1+sp.p.engine.Fold.Vectors()) && !lay.Wire.Lossy() && 4*lay.Params <= gradient.LeapBytes
}

// leaps reports whether the step is to be committed with others. It is as long as this
// worker is ahead of the ledger, also when few are left: what is logged follows what
// the ledger has.
func (sp *span) leaps(t job.Task) bool {
	return t.Node == tree.Root && (sp.ahead.chain != nil || sp.worthALeap(min(sp.t.Tell, sp.t.End()-t.Step)))
}

// board makes sure that the step which a leap is to begin with is the ledger's next
// one: nothing that the ledger has is computed for long.
func (sp *span) board(ctx context.Context, t job.Task) error {
	if sp.ahead.chain != nil || sp.pending != nil || !sp.leaps(t) {
		return nil
	}
	state, err := sp.ledger.State(ctx, sp.p.layout)
	if err != nil {
		return fmt.Errorf("is step %d the next? %w", t.Step, err)
	}
	sp.p.horizon.correct(state.Committed)
	if state.Committed != t.Step {
		return fmt.Errorf("step %d: the ledger has %d steps: %w", t.Step, state.Committed, job.ErrStale)
	}
	return nil
}

// leap folds a root that the ledger is not given, and reports whether it did: not when
// somebody waits for what the ledger has, which has all steps before by then.
func (sp *span) leap(ctx context.Context, t job.Task, root ledger.Partial, before ledger.Chain) (bool, error) {
	a := &sp.ahead
	after, err := a.links.past(sp, t.Step, root, before)
	if err != nil {
		return false, err
	}
	if !sp.p.replica.Speculate(ctx, sp.s.Team(), t.Step, root.Gradient, root.Sums, after, a.chain != nil) {
		return false, sp.land(ctx)
	}
	sp.lap(Folding)
	a.chain = after
	if a.open == nil {
		a.open = &leap{from: t.Step}
	}
	a.open.sums = append(a.open.sums, root.Sums)
	n, left := int64(len(a.open.sums)), sp.t.End()-t.Step-1
	if n < ledger.MaxBatch && (n < sp.t.Tell || !sp.worthALeap(left)) {
		return true, nil // the steps that are left go with these when they are few
	}
	err = sp.takeOff(ctx)
	sp.lap(Committing)
	return true, err
}

// takeOff begins to commit the steps since the last leap, once that has landed.
func (sp *span) takeOff(ctx context.Context) error {
	a := &sp.ahead
	if a.open == nil {
		return nil
	}
	if err := sp.landed(ctx); err != nil {
		return err
	}
	snap, err := sp.p.replica.Unconfirmed(ctx, a.vectors)
	if err == nil && snap.Step != a.open.from+int64(len(a.open.sums)) {
		err = fmt.Errorf("the replica is at step %d: %w", snap.Step, job.ErrStale)
	}
	if err != nil {
		return sp.fall(ctx, a.open.from, err)
	}
	f := &flight{leap: *a.open, snapshot: snap, done: make(chan struct{})}
	a.vectors, a.open, a.flight = snap.Vectors, nil, f
	go func() {
		defer close(f.done)
		lap := sp.Time.start()
		defer func() { lap(Appending) }()
		f.err = lifecycle.Contain("commit", func() error { return sp.commit(ctx, f) })
	}()
	return nil
}

// commit gives the ledger the snapshot, and tells of it.
func (sp *span) commit(ctx context.Context, f *flight) error {
	state, err := sp.ledger.State(ctx, sp.p.layout)
	if err != nil {
		return fmt.Errorf("state to commit %d steps: %w", len(f.sums), err)
	}
	if state.Committed != f.from {
		return ledger.NotNext(f.from, f.snapshot.Step, state.Committed)
	}
	marked, err := sp.remember(ctx, sp.p, state.Snapshot, f.snapshot.Step)
	if err != nil {
		return err
	}
	if err := sp.ledger.CommitBatch(ctx, sp.p.layout, ledger.BatchCommit{From: f.from, Sums: f.sums, Snapshot: f.snapshot, Marks: marked}); err != nil {
		return fmt.Errorf("commit %d steps: %w", len(f.sums), err)
	}
	ref, to := sp.p.layout.Ref, f.snapshot.Step
	sp.p.horizon.advance(to)
	sp.announced(sp.announce.PublishSnapshotted(notice.Snapshotted{Ref: ref, Step: to})) // first, so that nobody asks for one
	sp.announced(sp.announce.PublishCommit(notice.Commit{Ref: ref, Step: to - 1, Committed: to}))
	return nil
}

// landed waits for the leap that is on its way.
func (sp *span) landed(ctx context.Context) error {
	f := sp.ahead.flight
	if f == nil {
		return nil
	}
	<-f.done // ends with ctx
	sp.ahead.flight = nil
	if f.err != nil {
		return sp.fall(ctx, f.from, f.err)
	}
	return sp.p.replica.Confirm(ctx, f.snapshot.Step-1, f.snapshot.Chain)
}

// fall gives up what the ledger does not have.
func (sp *span) fall(ctx context.Context, from int64, err error) error {
	sp.ahead.chain, sp.ahead.open = nil, nil
	return at(sp.t, from, errors.Join(err, sp.p.replica.Reset(context.WithoutCancel(ctx))))
}

// land commits all that this worker is ahead, and waits for it.
func (sp *span) land(ctx context.Context) error {
	if err := sp.takeOff(ctx); err != nil {
		return err
	}
	err := sp.landed(ctx)
	sp.ahead.chain = nil
	return err
}

// links makes the chain past a step from its root, chunk by chunk in all threads.
type links struct {
	layout ledger.Layout
	step   int64
	root   ledger.Partial
	before ledger.Chain
	after  ledger.Chain
	next   atomic.Int64
	failed atomic.Pointer[error]
}

// past returns the chain past the step.
func (k *links) past(sp *span, step int64, root ledger.Partial, before ledger.Chain) (ledger.Chain, error) {
	k.layout, k.step, k.root, k.before, k.after = sp.p.layout, step, root, before, slices.Clone(before)
	k.next.Store(0)
	k.failed.Store(nil)
	if team := sp.s.Team(); len(before) > 1 {
		team.Run(k)
	} else {
		k.Do(0)
	}
	if err := k.failed.Load(); err != nil {
		return nil, *err
	}
	return k.after, nil
}

// Do is one thread's share.
func (k *links) Do(int) {
	for {
		c := int(k.next.Add(1)) - 1
		if c >= len(k.after) {
			return
		}
		link, err := k.layout.Next(k.step, c, k.root.Gradient, k.root.Sums, k.before[c])
		if err != nil {
			k.failed.Store(&err)
			return
		}
		k.after[c] = link
	}
}
