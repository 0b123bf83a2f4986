// Package round decides what a job needs next. It decides which gradient tasks cover the
// step, when to evaluate, and when to take a snapshot or a checkpoint. It also decides
// when to publish work again, and when the job is done.
//
// It owns the decisions and nothing else: events go in, actions come out. It has no
// clock, no I/O and no goroutine; each event carries its time. coordinator/run calls it:
// it passes events in and executes the actions.
//
// Invariant: it does no harm when an action is executed late, twice or never. A Tick
// detects lost work, and the machine asks for it again.
package round

import "time"

// Config holds the settings of a job's machine.
type Config struct {
	Steps            int64                  // steps of the whole job
	Monitored        bool                   // the job follows its evaluations: it may end early, and its last evaluation is of the best parameters
	Microbatches     int                    // leaves of each step's tree
	EvaluateAfter    func(steps int64) bool // whether to evaluate when this number of steps is committed
	SnapshotEvery    int64                  // steps between snapshots, at least 1
	BatchCommitSteps int64                  // minimum steps per AnnounceTime for which one-task steps go into a snapshot and not into the log; 0: never
	CheckpointSteps  int64                  // steps between checkpoints; 0: not by steps
	CheckpointTime   time.Duration          // time between checkpoints; 0: not by time
	SkipLast         bool                   // no checkpoint after the last step
	BackupFactor     float64                // a step slower than this × the median gets backups
	BackupFloor      time.Duration          // minimum wait before backups
	FirstFloor       time.Duration          // minimum wait before backups until one step is timed, because workers fetch data first
	TaskTime         time.Duration          // approximate time for all steps of one task; 0: one step per task
	ShortTaskTime    time.Duration          // the same, while other jobs wait for slots
	TrialTime        time.Duration          // approximate time of a trial that checks whether fewer teams are faster; 0: all teams work on every step
	Deadline         time.Duration          // the job ends at the first step that it can end at after this time of the events; 0: never
	StopAt           int64                  // it was decided before that the job ends after so many steps, because its time is over; 0: it was not
	AnnounceTime     time.Duration          // approximate interval at which a worker that has whole steps commits them or announces them
}

// Phase names what the job waits for.
type Phase string

// The phases.
const (
	Idle       Phase = "idle"       // no report from the ledger yet
	Waiting    Phase = "waiting"    // a worker
	Stepping   Phase = "stepping"   // the commit of a step
	Evaluating Phase = "evaluating" // an evaluation; the next step waits
	Trimming   Phase = "trimming"   // a snapshot; the log has no room for another step
	Saving     Phase = "saving"     // the last checkpoint, at most lastDeadline
	Done       Phase = "done"
)

// Round is the state machine of one job. The zero value is not ready; use New.
type Round struct {
	cfg                Config
	phase              Phase
	slots, team        int
	crowded            bool
	published          stepRange
	split              splitPlan
	committed          int64 // steps in the log
	snapshot           int64 // steps in the newest snapshot
	evaluated          int64 // steps at the newest evaluation; -1 before the first
	end                int64 // steps of the job; fewer than cfg.Steps if it ends early
	stopped            bool  // end is where the job was when its time was over
	concluding         bool  // the current evaluation is the last: of every split
	concluded          bool  // that evaluation is complete
	attempt            int
	requested          time.Duration // time of the first request for the current work
	deadline           time.Duration // time at which the current work counts as stalled
	snapshotPending    bool          // a snapshot was requested and has not arrived
	snapshotRequested  time.Duration
	room               room
	checkpoints        checkpoints
	steps, evaluations pace
}

// New returns the machine of a job. The machine waits for Resumed.
func New(cfg Config) *Round {
	r := &Round{cfg: cfg, phase: Idle, evaluated: -1, stopped: cfg.StopAt > 0}
	r.end = r.lastStep()
	return r
}

// Phase returns what the job waits for.
func (r *Round) Phase() Phase { return r.phase }

// Committed returns how many steps are in the log, as far as the machine knows.
func (r *Round) Committed() int64 { return r.committed }

// End returns how many steps the job takes, as far as the machine knows.
func (r *Round) End() int64 { return r.end }

// Concluding reports whether the current evaluation is the job's last, of every split.
func (r *Round) Concluding() bool { return r.concluding }

// Snapshot returns how many steps are in the newest snapshot that the machine knows of.
func (r *Round) Snapshot() int64 { return r.snapshot }

// Handle processes one event and returns the actions to execute, in order. now is the
// time of the event: a monotonic time since any fixed point.
func (r *Round) Handle(now time.Duration, e Event) []Action {
	if r.phase == Done {
		return nil
	}
	switch e := e.(type) {
	case Resumed:
		return r.resumed(now, e)
	case Fleet:
		return r.fleet(now, e)
	case Committed:
		return r.commit(now, e)
	case Missing:
		return r.missing(now, e)
	case Evaluated:
		return r.evaluation(now, e)
	case Snapshotted:
		return r.snapshotted(now, e)
	case Checkpointed:
		return r.checkpointed(e)
	case Unsaved:
		return r.unsaved(e)
	case Full:
		return r.full(now)
	case Room:
		return r.resize(now, e)
	case Tick:
		return r.tick(now)
	}
	return nil
}

// resumed starts or restarts from the state of the ledger. The ledger may hold fewer
// steps than the machine knew of; workers then compute the lost steps again.
func (r *Round) resumed(now time.Duration, e Resumed) []Action {
	if r.phase != Idle && e.Committed == r.committed {
		return nil
	}
	if e.Committed < r.committed {
		r.evaluated = min(r.evaluated, e.Committed-1)
		if !r.stopped {
			r.end = r.lastStep()
		}
	}
	r.concluding, r.concluded = false, false
	r.committed, r.snapshot, r.snapshotPending = e.Committed, e.Snapshot, false
	r.checkpoints = checkpoints{newest: min(e.Checkpoint, e.Committed), countFrom: e.Committed, timeFrom: now}
	return r.next(now)
}

// fleet records the number of slots. Lost slots may hold work of this step.
func (r *Round) fleet(now time.Duration, e Fleet) []Action {
	before := r.slots
	if r.slots != e.Slots || r.team != e.Team || r.crowded != e.Crowded {
		r.published.broken = true // more or fewer workers may take the steps of the step range
	}
	another := r.slots != e.Slots || r.team != e.Team
	r.slots, r.team, r.crowded = e.Slots, e.Team, e.Crowded
	if another {
		r.resetSplit()
	}
	switch {
	case r.phase == Waiting && r.slots > 0:
		return r.next(now)
	case r.slots == 0 && (r.phase == Stepping || r.phase == Evaluating || r.phase == Trimming):
		r.phase = Waiting
		return []Action{Wait{}}
	case r.slots == 0 && r.phase == Saving:
		return r.finish() // no worker is left to write the checkpoint
	case r.slots < before && (r.phase == Stepping || r.phase == Evaluating):
		return []Action{Inspect{Steps: r.committed}}
	}
	return nil
}

// commit goes on when the running step, or a later one, is in the log.
func (r *Round) commit(now time.Duration, e Committed) []Action {
	if r.phase == Idle || e.Steps <= r.committed {
		return nil
	}
	if r.phase == Stepping {
		r.steps.add((now - r.requested) / time.Duration(e.Steps-r.committed))
	}
	r.committed, r.room.refused = e.Steps, false
	if r.phase == Stepping && r.committed >= r.published.end {
		r.learn(now)
	} else if r.phase == Stepping && r.split.firstCommit.steps == 0 {
		r.split.firstCommit = commitPoint{steps: r.committed, at: now}
	}
	actions := append(r.snapshotIfDue(now), r.checkpointIfDue(now)...)
	if r.phase == Stepping && r.published.hasNext(r.committed) {
		r.attempt, r.requested = 0, now
		r.deadline = now + r.patience()
		return actions
	}
	return append(actions, r.next(now)...)
}

// evaluation goes on when the metrics at the current step are known.
func (r *Round) evaluation(now time.Duration, e Evaluated) []Action {
	if r.phase != Evaluating || e.Steps != r.committed {
		return nil
	}
	if r.attempt == 0 {
		r.evaluations.add(now - r.requested)
	}
	if r.concluded = r.concluding; !r.concluding || !r.cfg.Monitored {
		r.evaluated = e.Steps
	}
	if e.Stop {
		r.end = r.committed
	}
	return r.next(now)
}

// next starts the work that follows from the number of committed steps.
func (r *Round) next(now time.Duration) []Action {
	return append(r.stopIfDue(now), r.proceed(now)...)
}

// proceed starts the next step, evaluation, snapshot or checkpoint.
func (r *Round) proceed(now time.Duration) []Action {
	final := r.committed >= r.end
	// Where a job's time ends is no place of an evaluation that something follows from.
	evaluate := r.evaluated < r.committed && (final && !r.stopped || r.cfg.EvaluateAfter(r.committed))
	r.concluding = final && !r.concluded && (!evaluate || !r.cfg.Monitored)
	switch {
	case final && !evaluate && !r.concluding:
		return r.save(now)
	case r.slots == 0:
		if r.phase == Waiting {
			return nil
		}
		r.phase = Waiting
		return []Action{Wait{}}
	}
	r.attempt, r.requested = 0, now
	if evaluate || r.concluding {
		r.phase = Evaluating
		r.deadline = now + r.patience()
		return []Action{Evaluate{Steps: r.committed, Final: r.concluding}}
	}
	if r.logSpace() < 1 && !r.commitsInBatches() {
		r.phase = Trimming
		return r.requestSnapshot(now)
	}
	r.phase = Stepping
	actions := r.publish(now)
	r.deadline = now + r.patience()
	return actions
}

// snapshotIfDue asks for a snapshot when the log is long enough.
func (r *Round) snapshotIfDue(now time.Duration) []Action {
	if r.committed-r.snapshot < r.snapshotEvery() || r.committed >= r.end {
		return nil
	}
	return r.requestSnapshot(now)
}
