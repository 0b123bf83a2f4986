package run

import (
	"cmp"
	"context"
	"errors"
	"time"

	"github.com/rs/zerolog"

	"tributary/coordinator/round"
	"tributary/shared/history"
	"tributary/shared/job"
	"tributary/shared/journal"
	"tributary/shared/monitor"
	"tributary/shared/notice"
)

// The intervals of checks and progress events, and the time after which a slow step gets
// backups.
const (
	tickEvery     = 50 * time.Millisecond
	reportEvery   = 250 * time.Millisecond
	backupFactor  = 3
	backupFloor   = 200 * time.Millisecond
	firstFloor    = 2 * time.Second
	snapshotBytes = 192 << 20 // bytes of log after which a snapshot shortens it
	snapshotSteps = 4096      // steps of log after which a snapshot shortens it, so that a new worker catches up fast
	checkEvery    = 2 * time.Second
	// taskTime is the approximate time of one gradient task; a task that is the only one
	// takes four times as long. Workers that miss a recall continue for that time.
	// shortTaskTime is the approximate time of a job's turn when there are more jobs than
	// slots; so it is also the time for which another job may have to wait for a slot.
	taskTime      = 2 * time.Second
	shortTaskTime = 100 * time.Millisecond
	// trialTime is the approximate time of a trial with fewer workers.
	trialTime = 100 * time.Millisecond
)

// training drives the steps of a prepared job.
type training struct {
	*driver
	*prepared
	round   *round.Round
	monitor *monitor.Monitor // what follows from the evaluations; nil: nothing
	// stepping is the time spent on steps, without evaluation and waiting.
	stepping        time.Duration
	last            time.Duration // time of the last event for the machine
	reportedAt      time.Duration // time of the last progress event
	reportedSteps   int64         // steps in the last progress event
	checkedAt       time.Duration // time of the last check of the ledger for lost steps
	losses          losses
	norm            *notice.GradientNorm // the newest that a worker has reported
	pace            pace
	marks           *history.History // marks of the log, once it is folded to its end
	generation      int              // generation of publications, see startGeneration
	firstGeneration int              // first generation of this driver
	snapshot        int64            // steps in the newest snapshot when the ledger was last read
	hints           hints            // hints from notices since the last read of the ledger
	waits           string           // what the job waits for, as last reported; "" for nothing
	// committer is the worker that committed the newest step, according to its notice.
	committer  string
	refusal    refusal
	complained time.Duration // time of the last log line about an unreadable ledger
	logSteps   int64         // steps of log that fit, as the machine knows
	measured   time.Duration // time when the log was last sized; 0: never
	held       bool          // the job waits for room in the ledger
	unclear    time.Duration // start of a wait for a worker without a known reason; 0: none
	// unsupported is what a worker's program does not know of the job, from its last
	// note.
	unsupported   string
	checkpointLog zerolog.Logger // logs faults of announced checkpoints
	received      int            // messages handled in a row before ticks and confirmations
}

// train drives the job's steps to the end.
func (d *driver) train(ctx context.Context, p *prepared) (t *training, err error) {
	snapshotEvery := cmp.Or(d.service.cfg.SnapshotEvery, min(max(16, int64(snapshotBytes/(4*max(1, p.layout.Params)))), snapshotSteps))
	d.stored = &p.layout
	t = &training{driver: d, prepared: p, last: d.service.now(), waits: p.record.Message, checkpointLog: rateLimited(d.log)}
	policy := p.engine.Plan.Spec.Checkpoints()
	if d.service.cfg.Volatile && d.service.cfg.Saved == nil {
		policy = job.Checkpointing{}
	}
	var trial time.Duration
	if d.service.cfg.TryFewer {
		trial = trialTime
	}
	t.round = round.New(round.Config{
		TrialTime:        trial,
		Steps:            p.engine.Plan.Steps(),
		Microbatches:     p.engine.Plan.Spec.Microbatches,
		Monitored:        p.engine.Plan.Spec.Monitors(),
		EvaluateAfter:    p.engine.Plan.EvaluateAfter,
		SnapshotEvery:    snapshotEvery,
		BatchCommitSteps: batchCommitSteps(p),
		CheckpointSteps:  policy.EverySteps,
		CheckpointTime:   time.Duration(policy.EverySeconds) * time.Second,
		SkipLast:         !p.engine.Plan.Spec.Checkpoint.KeepsFinal(),
		BackupFactor:     backupFactor,
		BackupFloor:      backupFloor,
		FirstFloor:       firstFloor,
		TaskTime:         taskTime,
		ShortTaskTime:    shortTaskTime,
		Deadline:         d.deadline(p),
		StopAt:           p.record.StopAt,
		AnnounceTime:     cmp.Or(d.service.cfg.AnnounceTime, job.AnnounceTime),
	})
	t.pace.warm = p.engine.Plan.Steps() / 10
	defer func() {
		// Another process may have deleted the journal that holds the recalls while this
		// coordinator was away.
		if err != nil || ctx.Err() != nil {
			d.service.sweepLater(p.layout)
		}
	}()
	t.recall(ctx) // recalls the tasks of the coordinator that drove the job before
	t.firstGeneration = t.generation
	t.waitFor(ctx, "") // clears the wait message of that coordinator
	d.setSharing(true)
	defer d.setSharing(false)
	if err := t.chooseNumerics(ctx); err != nil {
		return nil, err
	}
	if err := t.measure(ctx); err != nil {
		return nil, err
	}
	if err := t.reshare(ctx); err != nil {
		return nil, err
	}
	if err := t.checkLedger(ctx); err != nil {
		return nil, err
	}
	err = t.loop(ctx)
	if cause := context.Cause(ctx); errors.Is(cause, errHalted) || errors.Is(cause, errGone) || err != nil && ctx.Err() == nil && !errors.Is(err, errFenced) {
		t.recall(context.WithoutCancel(ctx)) // the job is paused, cancelled, removed or has failed
	}
	return t, err
}

// startGeneration starts a generation of publications. The queue then does not drop a
// task as a duplicate of the same task from an earlier generation, of this or another
// coordinator. Attempts count from the time in milliseconds. There is far less than one
// attempt per millisecond, and generations do not overlap.
func (t *training) startGeneration() {
	t.generation = max(int(t.service.cfg.Now().UnixMilli()), t.generation+generationGap)
}

// generationGap is more than the number of attempts in a generation that ends soon.
const generationGap = 100

// recall starts a generation and notifies workers to stop the tasks of earlier
// generations. The journal confirms the notice.
func (t *training) recall(ctx context.Context) {
	t.startGeneration()
	if t.service.cfg.Recall == nil {
		return
	}
	t.note(ctx, "note a recall", func(ctx context.Context) error {
		return journal.Recall(ctx, t.service.cfg.Ledger, t.ref, t.generation)
	})
	if err := t.service.cfg.Recall(notice.Recall{Ref: t.ref, Before: t.generation}); err != nil {
		t.log.Debug().Err(err).Msg("recall tasks")
	}
}

// loop passes messages to the machine until the machine is done.
func (t *training) loop(ctx context.Context) error {
	tick := time.NewTicker(tickEvery)
	defer tick.Stop()
	for t.round.Phase() != round.Done {
		m, err := t.next(ctx, tick.C)
		switch {
		case err != nil:
		case m == nil:
			err = t.tick(ctx)
		case m == confirmNow{}:
			err = t.confirm(ctx)
		default:
			err = t.receive(ctx, m)
		}
		if err != nil {
			return err
		}
	}
	return t.reportProgress(ctx)
}

// maxReceived is the maximum number of messages in a row before a due tick or
// confirmation. It keeps a flood of messages from blocking the job's work.
const maxReceived = 64

// next waits for a message, or for a tick, which it returns as nil. Messages go before
// ticks, because a tick would read from the ledger what the messages report.
func (t *training) next(ctx context.Context, tick <-chan time.Time) (message any, err error) {
	if ctx.Err() != nil {
		return nil, context.Cause(ctx)
	}
	switch {
	case t.received < maxReceived:
		select {
		case m := <-t.inbox:
			t.received++
			return m, nil
		default:
		}
	case t.received == maxReceived:
		select {
		case <-tick:
			t.received++ // a due confirmation comes next
			return nil, nil
		default:
		}
	}
	t.received = 0
	var confirm <-chan time.Time
	if wait, ok := t.hints.due(t.service.now()); ok && wait == 0 {
		return confirmNow{}, nil
	} else if ok {
		confirm = time.After(wait)
	}
	select {
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	case m := <-t.inbox:
		return m, nil
	case <-confirm:
		return confirmNow{}, nil
	case <-tick:
		return nil, nil
	}
}

// confirmNow is the message that the hints have waited long enough.
type confirmNow struct{}

// receive handles a message. It trusts a notice only as a hint that there is something to
// read.
func (t *training) receive(ctx context.Context, message any) error {
	switch m := message.(type) {
	case fleetChanged:
		return t.reshare(ctx)
	case workerGone:
		t.hints.attempts = true
		return t.inspect(ctx, t.round.Committed())
	case notice.Commit:
		t.norm = cmp.Or(m.GradientNorm, t.norm)
		if m.Committed > t.round.Committed() {
			t.committer, t.hints.progress = m.Worker, true
			t.hints.soon = t.hints.soon || t.round.Due(m.Committed)
		}
	case notice.Evaluated:
		t.hints.units = t.hints.units || t.complete(m)
		t.hints.soon = t.hints.soon || t.hints.units
	case notice.Snapshotted:
		t.hints.progress = true
	case notice.Checkpointed:
		t.hints.saved = true
	case notice.Failure:
		if m.Full && m.Task.Kind != job.Save {
			return t.refused(ctx)
		}
		t.hints.attempts = true
	case exhausted:
		return t.exhausted(ctx, m)
	}
	return nil
}

// feed passes an event to the machine and executes its actions.
func (t *training) feed(ctx context.Context, e round.Event) error {
	now := t.service.now()
	stepping := t.round.Phase() == round.Stepping
	if stepping {
		t.stepping += now - t.last
	}
	t.last = now
	known := t.round.Committed()
	actions := t.round.Handle(now, e)
	if steps := t.round.Committed(); steps > known {
		t.setAsideWorkers(ctx, steps)
		t.refusal.reason = "" // the job goes on
	}
	t.pace.observe(now, stepping, t.round.Committed()-known)
	for _, a := range actions {
		if err := t.act(ctx, a); err != nil {
			return err
		}
	}
	if t.round.Phase() != round.Waiting {
		t.unclear = 0
		t.waitFor(ctx, t.refusal.message(now))
	}
	return nil
}

// act executes one action. A later tick finds tasks that could not be published, so only
// faults of the job itself are errors.
func (t *training) act(ctx context.Context, a round.Action) error {
	switch a := a.(type) {
	case round.Publish:
		t.log.Debug().Int64("step", a.Step).Int64("steps", a.Steps).Int("tasks", len(a.Nodes)).Int("attempt", a.Attempt).Msg("publish")
		tasks := make([]job.Task, len(a.Nodes))
		for i, n := range a.Nodes {
			tasks[i] = t.task(job.Gradient, a.Step, a.Attempt)
			tasks[i].Node, tasks[i].Steps, tasks[i].Threads, tasks[i].Announce = n, a.Steps, a.Threads, a.Announce
		}
		t.publishTasks(ctx, tasks)
	case round.Recall:
		t.recall(ctx)
	case round.Evaluate:
		return t.evaluate(ctx, a, true)
	case round.Snapshot:
		t.publishTasks(ctx, []job.Task{t.task(job.Snapshot, a.Steps, a.Attempt)})
	case round.Checkpoint:
		t.publishTasks(ctx, []job.Task{t.task(job.Save, a.Steps, a.Attempt)})
	case round.Inspect:
		return t.inspect(ctx, a.Steps)
	case round.Wait:
		t.waitForWorker(ctx)
	case round.Stop:
		return t.stopAt(ctx, a.Steps)
	case round.Finish:
	}
	return nil
}

// task returns a task of this job.
func (t *training) task(k job.Kind, step int64, attempt int) job.Task {
	n := t.numerics()
	return job.Task{Ref: t.ref, Plan: t.record.Plan, Numerics: n, Class: t.service.class(n, t.record), Kind: k, Step: step, Attempt: t.generation + attempt}
}

func (t *training) publishTasks(ctx context.Context, tasks []job.Task) {
	if err := t.service.cfg.Queue.Publish(ctx, tasks...); err != nil && ctx.Err() == nil {
		t.log.Warn().Err(err).Int("tasks", len(tasks)).Msg("publish tasks")
	}
}
