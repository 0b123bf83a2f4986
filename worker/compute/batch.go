package compute

import (
	"context"
	"fmt"

	"tributary/shared/job"
	"tributary/shared/ledger"
	"tributary/shared/lifecycle"
	"tributary/shared/notice"
	"tributary/worker/course"
)

// batch holds the steps that the replica has folded and that a batch commit will put into
// the ledger.
type batch struct {
	chain   ledger.Chain  // the log's chain up to the replica's step
	sums    []ledger.Sums // of the steps that are in no commit yet
	commit  *batchCommit  // the commit in flight; nil: none
	vectors [][]float32   // buffers for the snapshot of the next commit
	links   links
}

// batchCommit is one batch commit in flight.
type batchCommit struct {
	*lifecycle.Running
	from     int64
	sums     []ledger.Sums
	snapshot ledger.Snapshot
}

// speculate folds the root before the ledger has it. Steps of a batch are not appended,
// so speculate itself makes the chain past such a step.
func (st *stepper) speculate(ctx context.Context, a course.Action) (course.Event, error) {
	var after ledger.Chain
	if a.Has(course.Batch) {
		var err error
		if after, err = st.batch.links.past(st, a.Step, st.root, st.chain); err != nil {
			return course.Event{}, err
		}
	}
	st.p.norms.see(st.Clock, st.p.engine, a.Step, st.root)
	if !st.p.replica.Speculate(ctx, st.s.Team(), st.ledger, a.Step, st.root.Gradient, st.root.Sums, after, a.Has(course.Own)) {
		return course.Event{Is: course.Refused}, nil
	}
	st.endPhase(Folding)
	if a.Has(course.Batch) {
		st.batch.chain = after
		st.batch.sums = append(st.batch.sums, st.root.Sums)
	}
	return done, nil
}

// startBatch starts to commit the steps of the batch in the background.
func (st *stepper) startBatch(ctx context.Context, from, steps int64) error {
	b := &st.batch
	snap, err := st.p.replica.Unconfirmed(ctx, b.vectors)
	if err != nil {
		return err
	}
	if to := from + steps; snap.Step != to {
		return fmt.Errorf("commit steps %d to %d: the replica is at step %d: %w", from, to, snap.Step, job.ErrStale)
	}
	own := &batchCommit{from: from, sums: b.sums, snapshot: snap}
	b.vectors, b.sums, b.commit = snap.Vectors, nil, own
	own.Running = lifecycle.Start("commit", func() error {
		endPhase := st.Time.start()
		defer func() { endPhase(Appending) }()
		return st.commit(ctx, own)
	})
	st.endPhase(Committing)
	return nil
}

// commit stores the snapshot in the ledger and announces it.
func (st *stepper) commit(ctx context.Context, own *batchCommit) error {
	state, err := st.ledger.State(ctx, st.p.layout)
	if err != nil {
		return fmt.Errorf("state to commit %d steps: %w", len(own.sums), err)
	}
	if state.Committed != own.from {
		return ledger.NotNext(own.from, own.snapshot.Step, state.Committed)
	}
	marked, err := st.remember(ctx, st.p, state.Snapshot, own.snapshot.Step)
	if err != nil {
		return err
	}
	if err := st.ledger.CommitBatch(ctx, st.p.layout, ledger.BatchCommit{From: own.from, Sums: own.sums, Snapshot: own.snapshot, Marks: marked}); err != nil {
		return fmt.Errorf("commit %d steps: %w", len(own.sums), err)
	}
	ref, to := st.p.layout.Ref, own.snapshot.Step
	st.p.progress.advance(to)
	st.announced(st.announce.PublishSnapshotted(notice.Snapshotted{Ref: ref, Step: to})) // first, so that no coordinator asks for a snapshot
	st.announceCommit(st.p, to-1, to)
	return nil
}

// waitBatch waits for the batch commit in flight; then the replica confirms its steps.
func (st *stepper) waitBatch(ctx context.Context) error {
	own := st.batch.commit
	err := own.Wait() // the commit ends when ctx ends
	st.batch.commit = nil
	if err != nil {
		return err
	}
	return st.p.replica.Confirm(ctx, own.snapshot.Step-1, own.snapshot.Chain)
}
