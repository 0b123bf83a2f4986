package run_test

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"time"

	"tributary/coordinator/run"
	"tributary/shared/checkpoint"
	"tributary/shared/dataset"
	"tributary/shared/gradient"
	"tributary/shared/job"
	"tributary/shared/journal"
	"tributary/shared/ledger"
	"tributary/shared/notice"
	"tributary/shared/plan"
	"tributary/shared/queue"
	"tributary/shared/replica"
	"tributary/shared/tree"
)

func (w *world) work(ctx context.Context, lane queue.Lane) {
	sub, err := w.queue.Subscribe(ctx, queue.Class{Lane: lane, Numerics: "n"}, queue.Class{Lane: lane, Numerics: "n", Job: "novelty"})
	if err != nil {
		return
	}
	defer sub.Close()
	for {
		d, err := sub.Next(ctx)
		if err != nil {
			return
		}
		err = w.do(ctx, d.Task())
		w.journal(ctx, d, err)
		switch {
		case err == nil || ctx.Err() != nil || errors.Is(err, job.ErrStale):
			_ = d.Ack(context.WithoutCancel(ctx)) // the memory queue has no failures
		case errors.Is(err, job.ErrUnsupported):
			w.notify(func(s *run.Service) {
				s.Failed(notice.Failure{Ref: d.Task().Ref, Task: d.Task(), Worker: "w", Error: err.Error(), Unsupported: true})
			})
			_ = d.Nak(50 * time.Millisecond)
		case errors.Is(err, job.ErrPoison):
			w.failed(d.Task(), err, true)
			_ = d.Term("")
		default:
			if !errors.Is(err, errDied) {
				w.failed(d.Task(), err, false)
			}
			_ = d.Nak(50 * time.Millisecond)
		}
	}
}

// journal records an attempt that failed or whose worker died, as a worker does.
func (w *world) journal(ctx context.Context, d queue.Delivery, err error) {
	if err == nil || ctx.Err() != nil || errors.Is(err, job.ErrStale) || errors.Is(err, job.ErrFull) && d.Task().Kind != job.Save {
		return
	}
	ctx, t := context.WithoutCancel(ctx), d.Task()
	if errors.Is(err, errDied) {
		w.deaths++
		_ = journal.New(t, fmt.Sprint("dead-", w.deaths), d.Delivered()).Begin(ctx, w.ledger)
		return
	}
	if errors.Is(err, job.ErrUnsupported) {
		_ = journal.New(t, "w", d.Delivered()).Leave(ctx, w.ledger, err.Error())
		return
	}
	_ = journal.New(t, "w", d.Delivered()).Fail(ctx, w.ledger, failedTask(t, err), err.Error(), errors.Is(err, job.ErrPoison))
}

// failedTask returns the one-step task that an error refers to.
func failedTask(t job.Task, err error) job.Task {
	if part := (*job.TaskError)(nil); errors.As(err, &part) {
		return part.Task
	}
	return t
}

func (w *world) failed(t job.Task, err error, poison bool) {
	t = failedTask(t, err)
	w.notify(func(s *run.Service) {
		s.Failed(notice.Failure{Ref: t.Ref, Task: t, Worker: "w", Error: err.Error(), Poison: poison, Full: errors.Is(err, job.ErrFull)})
	})
}

// halt fails every gradient of a step until the returned function is called.
func (w *world) halt(step int64) (goOn func()) { return w.failing(step, errors.New("not now")) }

// failing fails every gradient of a step until the returned function is called.
func (w *world) failing(step int64, err error) (goOn func()) {
	var halted atomic.Bool
	halted.Store(true)
	before := w.working
	w.working = func(t job.Task) error {
		if t.Kind == job.Gradient && t.Step == step && halted.Load() {
			return err
		}
		if before != nil {
			return before(t)
		}
		return nil
	}
	return func() { halted.Store(false) }
}

// upTo submits the job j of 30 steps to the coordinator s and returns when the job has
// reached a step. The test has called halt for that step.
func (w *world) upTo(step int64, s *run.Service) (stop func()) {
	stop = w.run(s, 1)
	w.submit(line("j", 30))
	w.reported("progress", func(e notice.Event) bool { return e.Step == step })
	return stop
}

// errDied fails a task like the death of its worker: without a notice.
var errDied = errors.New("the worker died")

// do executes a task in the plainest way, one step after the other from the first
// uncommitted step.
func (w *world) do(ctx context.Context, t job.Task) error {
	for step := t.Step; step < t.End(); step++ {
		err := w.computePartial(ctx, t.At(step), t.End() > t.Step+1)
		if err != nil && (!errors.Is(err, job.ErrStale) || step+1 == t.End()) {
			return &job.TaskError{Task: t.At(step), Err: err}
		}
	}
	return nil
}

// computePartial executes one step of a task. It skips a committed step. If among is set,
// it also skips a step that the ledger has not reached.
func (w *world) computePartial(ctx context.Context, t job.Task, among bool) error {
	w.doing.Lock()
	defer w.doing.Unlock()
	data, err := w.blobs.Get(ctx, t.Plan)
	if err != nil {
		return err
	}
	p, err := plan.Decode(data)
	if err != nil {
		return err
	}
	e, err := gradient.Compile(ctx, p, w.blobs, dataset.NewCache(w.blobs, 1<<20))
	if err != nil {
		return err
	}
	l := e.Layout(t.Ref)
	state, err := w.ledger.State(ctx, l)
	if err == nil && (among && state.Committed != t.Step || t.Kind == job.Gradient && state.Committed > t.Step) {
		return fmt.Errorf("step %d: the ledger has %d: %w", t.Step, state.Committed, job.ErrStale)
	}
	if w.working != nil {
		if err := w.working(t); err != nil {
			return err
		}
	}
	r := w.replicas[t.Ref]
	if r == nil {
		r = replica.New(e, t.Ref)
		w.replicas[t.Ref] = r
	}
	at, err := r.Snapshot(ctx)
	if err != nil {
		return err
	}
	if state, err := w.ledger.State(ctx, l); err != nil || state.Committed < at.Step {
		if err := r.Reset(ctx); err != nil { // the ledger has lost steps
			return err
		}
	}
	switch t.Kind {
	case job.Save:
		return w.save(ctx, r, l, t)
	case job.Snapshot:
		return w.snapshot(ctx, r, l, t)
	default:
	}
	return r.View(ctx, w.ledger, t.Step, func(params []float32, chain ledger.Chain) error {
		if t.Kind == job.Evaluate {
			unit, err := e.Evaluate(ctx, gradient.NewScratch(), params, t.Split, t.Block)
			if err != nil {
				return err
			}
			stored, err := w.ledger.PutEvaluation(ctx, l, t.Step, t.Unit(), unit.Encode())
			w.notify(func(s *run.Service) { s.Evaluated(notice.Evaluated{Ref: t.Ref, Step: t.Step, Stored: stored}) })
			return err
		}
		if t.Node != tree.Root {
			return fmt.Errorf("node %d: the jobs of these tests have one micro-batch: %w", t.Node, job.ErrPoison)
		}
		root := make([]float32, l.Params)
		sums, err := e.Node(ctx, root, gradient.NewScratch(), params, t.Step, t.Node, nil)
		if err != nil {
			return err
		}
		committed, _, err := w.ledger.Append(ctx, l, ledger.LogWrite{Step: t.Step, Chunks: []int{0}, Root: ledger.Partial{Gradient: root, Sums: sums}, Before: chain})
		if committed {
			w.notify(func(s *run.Service) { s.Committed(notice.Commit{Ref: t.Ref, Step: t.Step, Committed: t.Step + 1}) })
		}
		return err
	})
}

// snapshot stores a snapshot and sends the notice.
func (w *world) snapshot(ctx context.Context, r *replica.Replica, l ledger.Layout, t job.Task) error {
	err := r.View(ctx, w.ledger, t.Step, func([]float32, ledger.Chain) error { return nil })
	if err != nil && !errors.Is(err, job.ErrStale) {
		return err
	}
	snap, err := r.Snapshot(ctx)
	if err == nil {
		err = w.ledger.PutSnapshot(ctx, l, snap)
	}
	if err == nil {
		w.notify(func(s *run.Service) { s.Snapshotted(notice.Snapshotted{Ref: t.Ref, Step: snap.Step}) })
	}
	return err
}

// save writes a checkpoint and sends the notice.
func (w *world) save(ctx context.Context, r *replica.Replica, l ledger.Layout, t job.Task) error {
	err := r.View(ctx, w.ledger, t.Step, func([]float32, ledger.Chain) error { return nil })
	if err != nil && !errors.Is(err, job.ErrStale) {
		return err
	}
	snap, err := r.Snapshot(ctx)
	if err != nil {
		return err
	}
	s, err := checkpoint.Gather(ctx, w.ledger, l, snap)
	if err != nil {
		return err
	}
	s.Plan, s.Numerics = t.Plan, t.Numerics
	d, err := checkpoint.NewDraft(s)
	if err != nil {
		return err
	}
	if err := d.Announce(ctx, w.ledger, l); err != nil {
		return err
	}
	if err := d.Write(ctx, w.blobs, func() {}); err != nil {
		return err
	}
	w.notify(func(s *run.Service) {
		s.Checkpointed(notice.Checkpointed{Ref: t.Ref, Step: snap.Step, Digest: d.Digest})
	})
	return nil
}
