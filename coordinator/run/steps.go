package run

import (
	"context"
	"fmt"
	"math"
	"strings"
	"time"

	"tributary/coordinator/round"
	"tributary/shared/job"
	"tributary/shared/notice"
	"tributary/shared/tree"
)

// The pace of looking and telling, and how long a step may take before it is
// looked after.
const (
	tickEvery     = 50 * time.Millisecond
	tellEvery     = 250 * time.Millisecond
	backupFactor  = 3
	backupFloor   = 200 * time.Millisecond
	firstFloor    = 2 * time.Second
	snapshotBytes = 256 << 20 // of log, after which a snapshot shortens it
	lookEvery     = 2 * time.Second
)

// training drives the steps of a prepared job.
type training struct {
	*driver
	*prepared
	round *round.Round
	// stepping is the time spent on steps, without evaluation and waiting.
	stepping time.Duration
	last     time.Duration // when the machine last heard something
	told     time.Duration // when people were last told of progress
	toldOf   int64         // steps that people were told of
	looked   time.Duration // when the ledger was last looked at for lost steps
	losses   history
	failures map[string]string // transient errors by task, for tasks given up on
	era      int               // of publications, see begin
	waiting  bool
}

// train takes the job's steps to the end.
func (d *driver) train(ctx context.Context, p *prepared) (*training, error) {
	snapshotEvery := max(16, int64(snapshotBytes/(4*max(1, p.layout.Params))))
	t := &training{driver: d, prepared: p, failures: map[string]string{}, last: d.service.now()}
	t.round = round.New(round.Config{
		Steps:         p.engine.Plan.Steps(),
		Microbatches:  p.engine.Plan.Spec.Microbatches,
		EvaluateAfter: p.engine.Plan.EvaluateAfter,
		SnapshotEvery: snapshotEvery,
		BackupFactor:  backupFactor,
		BackupFloor:   backupFloor,
		FirstFloor:    firstFloor,
	})
	t.begin()
	if err := t.chooseNumerics(ctx); err != nil {
		return nil, err
	}
	if err := t.feed(ctx, round.Fleet{Slots: d.service.slots(t.record.Numerics)}); err != nil {
		return nil, err
	}
	if err := t.look(ctx); err != nil {
		return nil, err
	}
	return t, t.loop(ctx)
}

// begin starts an era of publications: a task that was published before it, by
// whomever, is no duplicate of the same task published now, so the queue does
// not drop it. Attempts are counted from the time in milliseconds; there is far
// less than one per millisecond.
func (t *training) begin() { t.era = int(time.Now().UnixMilli()) }

// loop hands messages to the machine until it is done.
func (t *training) loop(ctx context.Context) error {
	tick := time.NewTicker(tickEvery)
	defer tick.Stop()
	for t.round.Phase() != round.Done {
		var err error
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case m := <-t.inbox:
			err = t.hear(ctx, m)
		case <-tick.C:
			err = t.tick(ctx)
		}
		if err != nil {
			return err
		}
	}
	return t.tell(ctx)
}

// hear turns what was told into the machine's events.
func (t *training) hear(ctx context.Context, message any) error {
	switch m := message.(type) {
	case fleetChanged:
		return t.feed(ctx, round.Fleet{Slots: t.service.slots(t.record.Numerics)})
	case notice.Commit:
		return t.feed(ctx, round.Committed{Steps: m.Committed})
	case notice.Evaluated:
		return t.evaluated(ctx, m)
	case notice.Snapshotted:
		return t.feed(ctx, round.Snapshotted{Steps: m.Step})
	case notice.Failure:
		return t.failed(m)
	case exhausted:
		return t.exhausted(ctx, m)
	}
	return nil
}

// feed hands an event to the machine and carries out what it asks for.
func (t *training) feed(ctx context.Context, e round.Event) error {
	now := t.service.now()
	if t.round.Phase() == round.Stepping {
		t.stepping += now - t.last
	}
	t.last = now
	for _, a := range t.round.Handle(now, e) {
		if err := t.act(ctx, a); err != nil {
			return err
		}
	}
	if t.waiting && t.round.Phase() != round.Waiting {
		t.waiting = false
		t.waitFor(ctx, "")
	}
	return nil
}

// act carries out one action. What could not be published is noticed as
// missing by a later tick, so only faults of the job itself are errors.
func (t *training) act(ctx context.Context, a round.Action) error {
	switch a := a.(type) {
	case round.Publish:
		tasks := make([]job.Task, len(a.Nodes))
		for i, n := range a.Nodes {
			tasks[i] = t.task(job.Gradient, a.Step, a.Attempt)
			tasks[i].Node = n
		}
		t.publishTasks(ctx, tasks)
	case round.Evaluate:
		return t.evaluate(ctx, a)
	case round.Snapshot:
		t.publishTasks(ctx, []job.Task{t.task(job.Snapshot, a.Steps, a.Attempt)})
	case round.Inspect:
		return t.inspect(ctx, a.Steps)
	case round.Wait:
		t.waiting = true
		t.waitFor(ctx, t.whyWaiting())
	case round.Finish:
	}
	return nil
}

// task returns a task of this job.
func (t *training) task(k job.Kind, step int64, attempt int) job.Task {
	return job.Task{Ref: t.ref, Plan: t.record.Plan, Numerics: t.record.Numerics, Kind: k, Step: step, Attempt: t.era + attempt}
}

func (t *training) publishTasks(ctx context.Context, tasks []job.Task) {
	if err := t.service.cfg.Queue.Publish(ctx, tasks...); err != nil && ctx.Err() == nil {
		t.log.Warn().Err(err).Int("tasks", len(tasks)).Msg("publish tasks")
	}
}

// inspect answers the machine's question with what the ledger holds.
func (t *training) inspect(ctx context.Context, steps int64) error {
	if err := t.look(ctx); err != nil || t.round.Committed() != steps {
		return err
	}
	switch t.round.Phase() {
	case round.Evaluating:
		return t.feed(ctx, round.Missing{Steps: steps})
	case round.Stepping:
		arrived, err := t.service.cfg.Ledger.Arrived(ctx, t.layout, steps)
		if err != nil {
			return t.unreachable(ctx, err)
		}
		have := make(map[tree.Node]bool, len(arrived))
		for _, n := range arrived {
			have[n] = true
		}
		cover, missing := tree.Resolve(t.layout.Microbatch, func(n tree.Node) bool { return have[n] })
		if len(missing) == 0 {
			// All is there, but whoever was to finish the step is gone.
			// Whoever computes a covering node again finishes it.
			missing = cover[len(cover)-1:]
		}
		return t.feed(ctx, round.Missing{Steps: steps, Nodes: missing})
	default:
		return nil
	}
}

// look compares the ledger with what the machine believes, both ways: commits
// that were not announced, and steps that the ledger has lost.
func (t *training) look(ctx context.Context) error {
	t.looked = t.service.now()
	state, err := t.service.cfg.Ledger.State(ctx, t.layout)
	if err != nil {
		return t.unreachable(ctx, err)
	}
	switch known := t.round.Committed(); {
	case t.round.Phase() == round.Idle, state.Committed < known:
		if state.Committed < known {
			t.log.Warn().Int64("had", known).Int64("has", state.Committed).Msg("the ledger has lost steps; computing them again")
			t.losses.truncate(state.Committed)
			t.begin()
		} else {
			t.losses.since = state.Committed
		}
		return t.feed(ctx, round.Resumed{Committed: state.Committed, Snapshot: state.Snapshot})
	case state.Committed > known:
		return t.feed(ctx, round.Committed{Steps: state.Committed})
	}
	return nil
}

// unreachable tells a ledger that cannot be reached, which passes, from one
// that is damaged, which does not.
func (t *training) unreachable(ctx context.Context, err error) error {
	if final(err) && ctx.Err() == nil {
		return err
	}
	t.log.Warn().Err(err).Msg("read the ledger")
	return nil
}

// tick looks after lost and slow work and tells people of progress.
func (t *training) tick(ctx context.Context) error {
	now := t.service.now()
	if t.round.Phase() == round.Idle || now-t.looked > lookEvery {
		if err := t.look(ctx); err != nil {
			return err
		}
	}
	if err := t.feed(ctx, round.Tick{}); err != nil {
		return err
	}
	if now-t.told >= tellEvery {
		return t.tell(ctx)
	}
	return nil
}

// chooseNumerics fixes the arithmetic of a strict job to the most common one
// in the fleet, waiting for a first worker.
func (t *training) chooseNumerics(ctx context.Context) error {
	for t.record.Numerics == "" {
		if present, _ := t.service.present(); len(present) > 0 {
			r, err := t.change(ctx, func(r *job.Record) { r.Numerics, r.Message = present[0], "" })
			if err != nil {
				return err
			}
			t.record = r
			return nil
		}
		if !t.waiting {
			t.waiting = true
			t.waitFor(ctx, t.whyWaiting())
		}
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-t.inbox: // the fleet changed, as like as not
		case <-time.After(tickEvery):
		}
	}
	return nil
}

// whyWaiting says which worker the job waits for.
func (t *training) whyWaiting() string {
	present, workers := t.service.present()
	if workers == 0 {
		return "waiting: no worker is present"
	}
	names := make([]string, len(present))
	for i, n := range present {
		names[i] = string(n)
	}
	return fmt.Sprintf("waiting: the job is computed with numerics %s, and no worker present has it (%d have %s)",
		t.record.Numerics, workers, strings.Join(names, ", "))
}

// failed takes a worker's report: poison ends the job, anything else is tried again.
func (t *training) failed(f notice.Failure) error {
	if f.Poison {
		return fmt.Errorf("task %s on worker %s: %s: %w", f.Task.Name(), f.Worker, f.Error, job.ErrPoison)
	}
	t.failures[f.Task.Name()] = f.Error
	t.publish(notice.Event{Type: notice.ErrorEvent, Step: f.Task.Step, Message: fmt.Sprintf("task %s failed on worker %s and is tried again: %s", f.Task.Name(), f.Worker, f.Error)})
	return nil
}

// exhausted takes a task the queue has given up on. One that failed for
// passing reasons, or may have, before this driver listened, is asked for
// again; one that was lost with every worker that took it is poison.
func (t *training) exhausted(ctx context.Context, e exhausted) error {
	name := e.task.Name()
	if e.task.Step < t.round.Committed() {
		return nil
	}
	if _, passing := t.failures[name]; passing || e.task.Attempt < t.era {
		delete(t.failures, name)
		return t.inspect(ctx, t.round.Committed())
	}
	return fmt.Errorf("task %s was delivered %d times and no worker came back with a result: %w", name, e.deliveries, job.ErrPoison)
}

// tell learns how the steps went and tells people of progress.
func (t *training) tell(ctx context.Context) error {
	t.told = t.service.now()
	if err := t.learn(ctx); err != nil || t.losses.len() == t.toldOf {
		return err
	}
	t.toldOf = t.losses.len()
	_, workers := t.service.present()
	t.publish(notice.Event{
		Type: notice.ProgressEvent, Step: t.losses.len(), Steps: t.engine.Plan.Steps(), Epoch: t.epoch(),
		Loss: t.losses.latest(), SamplesPerSecond: t.losses.rate(t.stepping), Workers: workers,
	})
	return nil
}

// learn reads the losses of new steps and stops a job that has diverged.
func (t *training) learn(ctx context.Context) error {
	from, to := t.losses.len(), t.round.Committed()
	if from >= to {
		return nil
	}
	progress, err := t.service.cfg.Ledger.Losses(ctx, t.layout, from, to)
	if err != nil {
		return t.unreachable(ctx, err)
	}
	for _, p := range progress {
		loss := t.engine.MeanLoss(p.Sums)
		if math.IsNaN(loss) || math.IsInf(loss, 0) {
			return fmt.Errorf("step %d: the loss is %v: training has diverged; a lower learning rate or scaled data may help: %w", p.Step+1, loss, job.ErrPoison)
		}
		t.losses.add(loss, p.Sums.Examples)
	}
	t.service.steps.Add(float64(len(progress)))
	clear(t.failures)
	return nil
}

// epoch is the number of epochs begun.
func (t *training) epoch() int64 {
	epoch, _, _ := t.engine.Plan.Batch(max(0, t.round.Committed()-1))
	return epoch + 1
}
