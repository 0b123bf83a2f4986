package round

import "time"

// How long a checkpoint may take before it is asked for again, twice as long each
// time: while the job goes on, and at its end, where the news of it is more likely
// to be lost than late.
const (
	savePatience = 30 * time.Second
	lastPatience = 2 * time.Second
)

// lastDeadline is how long a job that has all its steps waits for its last
// checkpoint: it ends without one rather than not at all.
const lastDeadline = 30 * time.Second

// lastAttempts is how often the last checkpoint may fail.
const lastAttempts = 3

// saves is what is known of a job's checkpoints.
type saves struct {
	newest int64         // steps in the newest on record
	want   int64         // steps asked for; above newest while one is awaited
	asked  time.Duration // when, the last time
	again  int           // how often since the first time
	failed int           // attempts at the last
	from   int64         // steps from which the next is counted
	since  time.Duration // time likewise
}

// checkpointing reports whether the job makes checkpoints.
func (r *Round) checkpointing() bool { return r.cfg.CheckpointSteps > 0 || r.cfg.CheckpointTime > 0 }

// checkpointIfDue asks for a checkpoint when there are steps enough, or time
// enough has passed, since the last; and of the last step.
func (r *Round) checkpointIfDue(now time.Duration) []Action {
	s := &r.saves
	final := r.committed >= r.cfg.Steps
	due := r.cfg.CheckpointSteps > 0 && r.committed-s.from >= r.cfg.CheckpointSteps ||
		r.cfg.CheckpointTime > 0 && now-s.since >= r.cfg.CheckpointTime || final
	switch {
	case !r.checkpointing() || !due || r.committed <= s.newest || r.committed == s.want || final && r.cfg.SkipLast:
		return nil
	case s.want > s.newest && !final:
		return nil // the last is still awaited
	}
	*s = saves{newest: s.newest, want: r.committed, asked: now, from: r.committed, since: now}
	return []Action{Checkpoint{Steps: r.committed}}
}

// checkpointAgain asks once more for a checkpoint that does not come, and gives
// the last one up after a while.
func (r *Round) checkpointAgain(now time.Duration) []Action {
	patience := savePatience
	if r.phase == Saving {
		if now >= r.deadline {
			return r.finish()
		}
		patience = lastPatience
	}
	s := &r.saves
	if s.want <= s.newest || now-s.asked < patience<<min(s.again, 6) {
		return nil
	}
	s.again++
	s.want, s.asked = r.committed, now
	return []Action{Checkpoint{Steps: r.committed, Attempt: s.again}}
}

// checkpointed notes a checkpoint; the last one ends the job.
func (r *Round) checkpointed(e Checkpointed) []Action {
	r.saves.newest = max(r.saves.newest, e.Steps)
	if r.phase == Saving && r.saves.newest >= r.committed {
		return r.finish()
	}
	return nil
}

// unsaved gives the checkpoint up that was asked for: another will be due. The last
// is tried a few times more, by the queue, and then the job ends without it.
func (r *Round) unsaved(e Unsaved) []Action {
	s := &r.saves
	switch {
	case e.Steps < s.want:
	case r.committed < r.cfg.Steps:
		s.want = s.newest
	default:
		if s.failed++; s.failed >= lastAttempts && r.phase == Saving {
			return r.finish()
		}
	}
	return nil
}

// end finishes a job that has all its steps, once its last checkpoint is there.
func (r *Round) end(now time.Duration) []Action {
	if !r.checkpointing() || r.cfg.SkipLast || r.saves.newest >= r.committed || r.slots == 0 {
		return r.finish()
	}
	r.phase, r.deadline = Saving, now+lastDeadline
	return r.checkpointIfDue(now)
}

func (r *Round) finish() []Action {
	r.phase = Done
	return []Action{Finish{}}
}
