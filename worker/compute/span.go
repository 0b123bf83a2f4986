package compute

import (
	"context"
	"errors"
	"fmt"
	"time"

	"tributary/shared/job"
	"tributary/shared/ledger"
	"tributary/shared/lifecycle"
	"tributary/shared/notice"
	"tributary/shared/tree"
)

// How long a task of several steps waits for the others' part of a step before it
// ends: whoever coordinates publishes what is missing, and tasks for what follows.
// Until then it hears of commits, and looks for those it did not hear of.
const (
	waitPatience = time.Second
	firstLook    = 20 * time.Millisecond
	lastLook     = 160 * time.Millisecond
)

// errOver ends a task of several steps whose remaining ones are others' by now.
var errOver = errors.New("the rest of the task is no longer wanted")

// errBehind: the ledger has not come to the task's step.
var errBehind = fmt.Errorf("the ledger is behind: %w", job.ErrStale)

// errLed: another task of this worker is ahead of the log with the step before.
var errLed = errors.New("the step before is being appended")

// span carries out a gradient task: its node's partial of one step after the other.
//
// Whoever has the root of a step by itself does not wait for the ledger: it folds
// the root and computes the next step while the step is being appended. There is
// one such append at a time, so the log is written in order, and whatever is known
// only here is lost with it at the most.
type span struct {
	*Computer
	p           *program
	s           *scratch
	t           job.Task
	h           Hold
	pending     *pending // the append that runs; nil when none does
	ahead       ahead    // of the ledger, by many steps
	part        *part    // of the step before's root; nil when there is none
	unannounced int64    // steps committed by this span that it has not announced, 0 for none
	lies        int      // how often a notice said in vain that the step in hand may begin
	carried     carried  // the residual of a lossy wire
	lap         func(Phase)
}

// pending is an append that runs while the next step is computed.
type pending struct {
	task  job.Task
	done  chan struct{} // closed when the rest is set
	after ledger.Chain
	err   error
}

// gradient carries the task out, step by step.
func (c *Computer) gradient(ctx context.Context, p *program, s *scratch, t job.Task, h Hold) error {
	sp := &span{Computer: c, p: p, s: s, t: t, h: h, lap: c.Time.start()}
	err := lifecycle.Contain("compute "+t.Name(), func() error { return sp.steps(ctx) })
	if p := (*lifecycle.PanicError)(nil); errors.As(err, &p) {
		return errors.Join(err, sp.abandon(ctx))
	}
	for _, finish := range []func(context.Context) error{sp.settle, sp.land} {
		if failed := finish(ctx); failed != nil {
			err = failed // of an earlier step than what came after
		}
	}
	if errors.Is(err, errOver) {
		err = nil
	}
	if err == nil && sp.unannounced > 0 { // the coordinator that recalled the task waits for it
		sp.announced(sp.announce.PublishCommit(notice.Commit{Ref: t.Ref, Step: sp.unannounced - 1, Committed: sp.unannounced}))
	}
	return err
}

// abandon ends a task that has panicked: what runs beside it is waited for, and the
// replica, which may be half folded, begins anew.
func (sp *span) abandon(ctx context.Context) error {
	if sp.pending != nil {
		<-sp.pending.done
	}
	if sp.ahead.flight != nil {
		<-sp.ahead.flight.done
	}
	return sp.p.replica.Reset(context.WithoutCancel(ctx))
}

func (sp *span) steps(ctx context.Context) error {
	for step := sp.t.Step; step < sp.t.End(); step++ {
		if step > sp.t.Step {
			if err := sp.await(ctx, step); err != nil {
				return err
			}
			sp.lap(Waiting)
			sp.complete(ctx, step-1)
		}
		err := sp.step(ctx, sp.t.At(step))
		if errors.Is(err, job.ErrStale) {
			// Another did this step, and maybe some after it.
			if known := sp.p.horizon.committed(); known > step && known < sp.t.End() {
				step = known - 1
				continue
			}
			if errors.Is(err, errBehind) && step > sp.t.Step && sp.lies < maxLies {
				sp.lies++
				step-- // and wait for it again
				continue
			}
		}
		if err != nil {
			return at(sp.t, step, err)
		}
		sp.lies = 0
	}
	return nil
}

// maxLies bounds how often a task waits for a step's commit once more because a notice
// announced it wrongly.
const maxLies = 20

// at names the step of a task of several that an error is about.
func at(t job.Task, step int64, err error) error {
	if t.End() == t.Step+1 {
		return err
	}
	return &job.TaskError{Task: t.At(step), Err: err}
}

// await waits until the step before step is committed, or this worker is ahead of
// the log with it.
func (sp *span) await(ctx context.Context, step int64) error {
	hinted, _ := sp.p.horizon.look()
	switch {
	case sp.left():
		return job.ErrStopped
	case sp.recalled(ctx):
		return errOver
	case hinted >= step, sp.pending != nil, sp.ahead.chain != nil:
		return nil
	}
	return sp.h.Aside(ctx, func() error { return sp.wait(ctx, step) })
}

// recalled reports whether the task is to end after the step in hand.
func (sp *span) recalled(ctx context.Context) bool {
	return sp.p.horizon.recalled(ctx, sp.ledger, sp.t.Attempt)
}

// left reports whether the worker is to stop.
func (sp *span) left() bool {
	select {
	case <-sp.h.Leaving():
		return true
	default:
		return false
	}
}

// wait waits for the commit itself.
func (sp *span) wait(ctx context.Context, step int64) error {
	until := time.NewTimer(waitPatience)
	defer until.Stop()
	every := firstLook
	look := time.NewTimer(every)
	defer look.Stop()
	for {
		hinted, changed := sp.p.horizon.look()
		switch {
		case hinted >= step:
			return nil
		case sp.recalled(ctx):
			return errOver
		}
		select {
		case <-changed:
		case <-look.C:
			state, err := sp.ledger.State(ctx, sp.p.layout)
			if err != nil {
				return at(sp.t, step-1, fmt.Errorf("is step %d committed? %w", step-1, err))
			}
			sp.p.horizon.advance(state.Committed)
			every = min(2*every, lastLook)
			look.Reset(every)
		case <-until.C:
			return errOver
		case <-sp.h.Leaving():
			return job.ErrStopped
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// step computes the node's partial of one step and stores it.
func (sp *span) step(ctx context.Context, t job.Task) error {
	if err := sp.board(ctx, t); err != nil {
		return err
	}
	partial := ledger.Partial{Gradient: sp.s.result(sp.p.layout.Params, sp.pending != nil)}
	var chain ledger.Chain
	err := sp.view(ctx, sp.p, t, sp.h.Progress, func(params []float32, before ledger.Chain) (err error) {
		if chain = before; chain == nil {
			chain = sp.ahead.chain
		}
		if chain == nil && sp.pending == nil {
			return errLed
		}
		sp.lap(Folding)
		sp.p.engine.Prefetch(ctx, t.Step)
		partial.Sums, err = sp.p.engine.Node(ctx, partial.Gradient, sp.s.Scratch, params, t.Step, t.Node, sp.h.Progress)
		return err
	})
	if errors.Is(err, errLed) {
		if err := sp.p.replica.WaitConfirmed(ctx); err != nil {
			return err
		}
		return sp.step(ctx, t)
	}
	if err != nil {
		return err
	}
	sp.lap(Computing)
	if own := sp.pending; own != nil {
		err := sp.settle(ctx)
		sp.lap(Committing)
		if err != nil {
			return err
		}
		chain = own.after
	}
	if t.Node != tree.Root {
		return sp.share(ctx, t, partial, chain)
	}
	// The partial is the root: there is nothing to wait for.
	if err := sp.round(ctx, t.Step, sp.p.layout.AllChunks(), partial.Gradient, chain); err != nil {
		return err
	}
	return sp.finish(ctx, t, sp.p.layout.AllChunks(), partial, chain)
}

// begin appends a root that the replica has folded already.
func (sp *span) begin(ctx context.Context, t job.Task, root ledger.Partial, chain ledger.Chain) {
	own := &pending{task: t, done: make(chan struct{})}
	quiet := sp.quiet(t)
	sp.pending, sp.unannounced = own, 0
	if quiet {
		sp.unannounced = t.Step + 1
	}
	go func() {
		defer close(own.done)
		lap := sp.Time.start()
		defer func() { lap(Appending) }()
		own.err = lifecycle.Contain("append", func() (err error) {
			own.after, err = sp.append(ctx, sp.p, t.Step, sp.p.layout.AllChunks(), root, sp.carried.v, chain, quiet)
			if err != nil || sp.p.horizon.committed() > t.Step {
				return err
			}
			// It did not commit the step: another did, or an earlier one is missing.
			state, err := sp.ledger.State(ctx, sp.p.layout)
			if err == nil && state.Committed <= t.Step {
				err = fmt.Errorf("step %d: the ledger has %d steps: %w", t.Step, state.Committed, job.ErrStale)
			}
			return err
		})
	}()
}

// settle waits for the append that runs. When it has failed, the replica has
// folded what may not be in the log, and starts again from what there is.
func (sp *span) settle(ctx context.Context) error {
	own := sp.pending
	if own == nil {
		return nil
	}
	<-own.done // ends with ctx
	sp.pending = nil
	if own.err != nil {
		return at(sp.t, own.task.Step, errors.Join(own.err, sp.p.replica.Reset(context.WithoutCancel(ctx))))
	}
	return sp.p.replica.Confirm(ctx, own.task.Step, own.after)
}

// quiet reports whether nobody needs to hear of a step's commit at once: nobody else
// computes the steps, and a later one is told of soon.
func (sp *span) quiet(t job.Task) bool {
	return t.Node == tree.Root && sp.t.Tell > 1 && t.Step+1 < sp.t.End() && (t.Step-sp.t.Step+1)%sp.t.Tell != 0
}
