package compute

import (
	"context"
	"errors"

	"tributary/shared/gradient"
	"tributary/shared/job"
	"tributary/shared/ledger"
	"tributary/shared/lifecycle"
	"tributary/worker/course"
)

// stepper carries out a gradient task step by step. It does the actions that the task's
// course decides, and holds the vectors.
type stepper struct {
	*Computer
	p *program
	s *scratch
	t job.Task
	h Hold

	chain     ledger.Chain    // the log's chain before the current step; nil: not known until the append in flight ends
	partial   ledger.Partial  // of the current step
	root      ledger.Partial  // the root of the current step, valid in chunks; it shares the partial's vector
	chunks    []int           // the chunks of the root that the task has
	appended  *appendedChunks // the chunks of the previous step's root that the task appended; nil: none
	appending *appending      // nil: no append is in flight
	batch     batch
	carried   carried // the residual of a lossy wire
	endPhase  func(Phase)
}

// gradient carries out a gradient task. After a panic the replica may be half folded, so
// gradient resets it.
func (c *Computer) gradient(ctx context.Context, p *program, s *scratch, t job.Task, h Hold) error {
	st := &stepper{Computer: c, p: p, s: s, t: t, h: h, endPhase: c.Time.start()}
	err := lifecycle.Contain("compute "+t.Name(), func() error { return st.run(ctx) })
	if p := (*lifecycle.PanicError)(nil); errors.As(err, &p) {
		st.waitInFlight()
		return errors.Join(err, st.reset(ctx))
	}
	return err
}

// run asks the course for one action after another, carries out each action, and answers
// it.
func (st *stepper) run(ctx context.Context) error {
	c := course.New(st.t, st.limits())
	for e := (course.Event{Is: course.Begun}); ; {
		a := c.Handle(e)
		if a.Do == course.End {
			return c.Err()
		}
		var err error
		if e, err = st.do(ctx, a); err != nil {
			e = course.Event{Is: course.Failed, Err: err, Committed: st.p.progress.committed()}
		}
	}
}

// limits returns the limits of the task's job.
func (st *stepper) limits() course.Limits {
	lay := st.p.layout
	l := course.Limits{MaxBatch: ledger.MaxBatch, Lossy: lay.Wire.Lossy()}
	if !l.Lossy && 4*lay.Params <= gradient.BatchBytes {
		l.MinBatch = int64(1 + st.p.engine.Vectors())
	}
	return l
}

// done is the event that an action succeeded.
var done = course.Event{Is: course.Done}

// do carries out an action and returns the event that answers it.
func (st *stepper) do(ctx context.Context, a course.Action) (course.Event, error) {
	switch a.Do {
	case course.Poll:
		return st.poll(ctx), nil
	case course.Wait:
		return st.wait(ctx, a.Step)
	case course.Check:
		return st.check(ctx, a.Step)
	case course.Compute:
		return st.compute(ctx, a.Step, a.Has(course.Speculative))
	case course.Store:
		return st.store(ctx, st.t.At(a.Step))
	case course.Speculate:
		return st.speculate(ctx, a)
	case course.Complete:
		st.complete(ctx, a.Step)
	case course.StartAppend:
		st.startAppend(ctx, a.Step, a.Has(course.Quiet))
	case course.Announce:
		st.announceCommit(st.p, a.Step-1, a.Step)
	case course.Yield:
		return done, st.p.replica.WaitConfirmed(ctx)
	case course.Round:
		return done, st.round(ctx, a.Step, st.chunks, st.root.Gradient, st.chain)
	case course.Append:
		return done, st.appendNow(ctx, a.Step, a.Has(course.Whole))
	case course.WaitAppend:
		return done, st.waitAppend(ctx)
	case course.StartBatch:
		return done, st.startBatch(ctx, a.Step, a.Steps)
	case course.WaitBatch:
		return done, st.waitBatch(ctx)
	case course.Reset:
		return done, st.reset(ctx)
	case course.End: // run handles it
	}
	return done, nil
}

// waitInFlight waits until the append and the batch commit in flight end, and ignores
// their errors.
func (st *stepper) waitInFlight() {
	if st.appending != nil {
		_ = st.appending.Wait()
	}
	if st.batch.commit != nil {
		_ = st.batch.commit.Wait()
	}
}

// reset discards what the replica has folded. It does so even when ctx has ended, because
// other tasks use the replica too.
func (st *stepper) reset(ctx context.Context) error {
	st.batch.chain, st.batch.sums = nil, nil
	return st.p.replica.Reset(context.WithoutCancel(ctx))
}
