// Package round decides what a job needs next: which gradient tasks cover the
// step, when to evaluate, when to take a snapshot or a checkpoint, when work must
// be published again, and when the job is done.
//
// It owns the decisions and nothing else: events go in, actions come out. It
// has no clock, no I/O and no goroutine; the time is in the events.
// coordinator/run feeds it and carries its actions out.
//
// Invariant: an action may be carried out late, twice or never without harm.
// Whatever is lost is noticed by a Tick and asked for again.
package round

import "time"

// Config is what a job's rounds depend on.
type Config struct {
	Steps           int64                  // steps the whole job takes
	Microbatches    int                    // leaves of every step's tree
	EvaluateAfter   func(steps int64) bool // whether to evaluate once so many steps are committed
	SnapshotEvery   int64                  // steps between snapshots, at least 1
	LeapSteps       int64                  // so many steps that are one task each go into a snapshot and not into the log; 0: never
	CheckpointSteps int64                  // steps between checkpoints; 0: not by steps
	CheckpointTime  time.Duration          // time between checkpoints; 0: not by time
	SkipLast        bool                   // no checkpoint after the last step
	BackupFactor    float64                // a step slower than this × the median gets backups
	BackupFloor     time.Duration          // but never sooner than this
	FirstFloor      time.Duration          // floor while no step has been timed yet: workers fetch data first
	SpanTime        time.Duration          // about how long the steps of one task may take in all; 0: one step a task
	ShortSpan       time.Duration          // likewise, while other jobs wait for slots
	TrialTime       time.Duration          // about how long it is tried whether fewer teams are faster; 0: all share every step
	TellTime        time.Duration          // about how often whoever has whole steps by itself is to commit them, or to tell of it
}

// Phase is what the job is waiting for.
type Phase string

// The phases.
const (
	Idle       Phase = "idle"       // nothing heard from the ledger yet
	Waiting    Phase = "waiting"    // for a worker
	Stepping   Phase = "stepping"   // for the commit of a step
	Evaluating Phase = "evaluating" // for an evaluation; the next step waits
	Trimming   Phase = "trimming"   // for a snapshot; the log has no room for another step
	Saving     Phase = "saving"     // for the last checkpoint, and not for long
	Done       Phase = "done"
)

// Round is a job's state machine. The zero value is not ready; use New.
type Round struct {
	cfg                Config
	phase              Phase
	slots, team        int
	crowded            bool
	span               span
	share              share
	committed          int64 // steps in the log
	snapshot           int64 // steps in the newest snapshot
	evaluated          int64 // steps at which the newest evaluation was made; -1 before any
	attempt            int
	asked              time.Duration // when the current work was first asked for
	deadline           time.Duration // when it counts as stalled
	asking             bool          // a snapshot was asked for and has not come
	askedSnap          time.Duration
	room               room
	saves              saves
	steps, evaluations pace
}

// New returns the machine of a job, waiting for Resumed.
func New(cfg Config) *Round {
	return &Round{cfg: cfg, phase: Idle, evaluated: -1}
}

// Phase tells what the job is waiting for.
func (r *Round) Phase() Phase { return r.phase }

// Committed tells how many steps are in the log, as far as the machine knows.
func (r *Round) Committed() int64 { return r.committed }

// Snapshot returns how many steps are in the newest snapshot that the machine knows of.
func (r *Round) Snapshot() int64 { return r.snapshot }

// Handle takes one event that happened at now (a monotonic time since any
// fixed point) and returns what to do, in order.
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

// resumed starts or restarts from what the ledger says, which may be less than
// what was known: a ledger that lost steps has them computed again.
func (r *Round) resumed(now time.Duration, e Resumed) []Action {
	if r.phase != Idle && e.Committed == r.committed {
		return nil
	}
	if e.Committed < r.committed {
		r.evaluated = min(r.evaluated, e.Committed-1)
	}
	r.committed, r.snapshot, r.asking = e.Committed, e.Snapshot, false
	r.saves = saves{newest: min(e.Checkpoint, e.Committed), from: e.Committed, since: now}
	return r.next(now)
}

// fleet notes how many slots there are. Lost slots may hold work of this step.
func (r *Round) fleet(now time.Duration, e Fleet) []Action {
	before := r.slots
	if r.slots != e.Slots || r.team != e.Team || r.crowded != e.Crowded {
		r.span.broken = true // others may be there to take its steps, or fewer
	}
	another := r.slots != e.Slots || r.team != e.Team
	r.slots, r.team, r.crowded = e.Slots, e.Team, e.Crowded
	if another {
		r.fresh()
	}
	switch {
	case r.phase == Waiting && r.slots > 0:
		return r.next(now)
	case r.slots == 0 && (r.phase == Stepping || r.phase == Evaluating || r.phase == Trimming):
		r.phase = Waiting
		return []Action{Wait{}}
	case r.slots == 0 && r.phase == Saving:
		return r.finish() // nobody is there to write it
	case r.slots < before && (r.phase == Stepping || r.phase == Evaluating):
		return []Action{Inspect{Steps: r.committed}}
	}
	return nil
}

// commit moves on when the running step, or steps beyond it, are in the log.
func (r *Round) commit(now time.Duration, e Committed) []Action {
	if r.phase == Idle || e.Steps <= r.committed {
		return nil
	}
	if r.phase == Stepping {
		r.steps.add((now - r.asked) / time.Duration(e.Steps-r.committed))
	}
	r.committed, r.room.refused = e.Steps, false
	if r.phase == Stepping && r.committed >= r.span.end {
		r.weigh(now)
	} else if r.phase == Stepping && r.share.first.steps == 0 {
		r.share.first = reached{steps: r.committed, at: now}
	}
	actions := append(r.snapshotIfDue(now), r.checkpointIfDue(now)...)
	if r.phase == Stepping && r.span.lasts(r.committed) {
		r.attempt, r.asked = 0, now
		r.deadline = now + r.patience()
		return actions
	}
	return append(actions, r.next(now)...)
}

// evaluation moves on when the metrics at the current step are known.
func (r *Round) evaluation(now time.Duration, e Evaluated) []Action {
	if r.phase != Evaluating || e.Steps != r.committed {
		return nil
	}
	if r.attempt == 0 {
		r.evaluations.add(now - r.asked)
	}
	r.evaluated = e.Steps
	return r.next(now)
}

// next begins whatever follows from the number of committed steps.
func (r *Round) next(now time.Duration) []Action {
	final := r.committed >= r.cfg.Steps
	evaluate := r.evaluated < r.committed && (final || r.cfg.EvaluateAfter(r.committed))
	switch {
	case final && !evaluate:
		return r.end(now)
	case r.slots == 0:
		if r.phase == Waiting {
			return nil
		}
		r.phase = Waiting
		return []Action{Wait{}}
	}
	r.attempt, r.asked = 0, now
	if evaluate {
		r.phase = Evaluating
		r.deadline = now + r.patience()
		return []Action{Evaluate{Steps: r.committed, Final: final}}
	}
	if r.left() < 1 && !r.leaps() {
		r.phase = Trimming
		return r.askSnapshot(now)
	}
	r.phase = Stepping
	actions := r.publish(now)
	r.deadline = now + r.patience()
	return actions
}

// snapshotIfDue asks for a snapshot when the log has grown long enough.
func (r *Round) snapshotIfDue(now time.Duration) []Action {
	if r.committed-r.snapshot < r.snapshotEvery() || r.committed >= r.cfg.Steps {
		return nil
	}
	return r.askSnapshot(now)
}
