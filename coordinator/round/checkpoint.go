package round

import "time"

// The time that the machine waits for a checkpoint before it asks again. The wait doubles
// with each request. savePatience applies while the job goes on. lastPatience applies at
// the job's end, where a missing notice is probably lost, not late.
const (
	savePatience = 30 * time.Second
	lastPatience = 2 * time.Second
)

// lastDeadline is how long a job that has all its steps waits for its last checkpoint.
// After that the job ends without the checkpoint.
const lastDeadline = 30 * time.Second

// lastAttempts is the number of failures after which the job gives up its last
// checkpoint.
const lastAttempts = 3

// checkpoints holds what the machine knows about a job's checkpoints.
type checkpoints struct {
	newest      int64         // steps in the newest checkpoint on record
	requested   int64         // steps in the requested checkpoint; above newest while the machine waits for one
	requestedAt time.Duration // time of the last request
	repeats     int           // number of repeated requests
	failed      int           // number of failed attempts at the last checkpoint
	countFrom   int64         // step count from which CheckpointSteps counts to the next checkpoint
	timeFrom    time.Duration // time from which CheckpointTime counts to the next checkpoint
}

// checkpointing reports whether the job makes checkpoints.
func (r *Round) checkpointing() bool { return r.cfg.CheckpointSteps > 0 || r.cfg.CheckpointTime > 0 }

// checkpointIfDue asks for a checkpoint when enough steps or enough time have passed
// since the last one. It also asks for a checkpoint after the job's last step.
func (r *Round) checkpointIfDue(now time.Duration) []Action {
	s := &r.checkpoints
	final := r.committed >= r.end
	due := r.cfg.CheckpointSteps > 0 && r.committed-s.countFrom >= r.cfg.CheckpointSteps ||
		r.cfg.CheckpointTime > 0 && now-s.timeFrom >= r.cfg.CheckpointTime || final
	switch {
	case !r.checkpointing() || !due || r.committed <= s.newest || r.committed == s.requested || final && r.cfg.SkipLast:
		return nil
	case s.requested > s.newest && !final:
		return nil // the previous checkpoint has not arrived yet
	}
	*s = checkpoints{newest: s.newest, requested: r.committed, requestedAt: now, countFrom: r.committed, timeFrom: now}
	return []Action{Checkpoint{Steps: r.committed}}
}

// checkpointAgain repeats the request for a checkpoint that does not arrive. At
// lastDeadline it gives up the job's last checkpoint and ends the job.
func (r *Round) checkpointAgain(now time.Duration) []Action {
	patience := savePatience
	if r.phase == Saving {
		if now >= r.deadline {
			return r.finish()
		}
		patience = lastPatience
	}
	s := &r.checkpoints
	if s.requested <= s.newest || now-s.requestedAt < patience<<min(s.repeats, 6) {
		return nil
	}
	s.repeats++
	s.requested, s.requestedAt = r.committed, now
	return []Action{Checkpoint{Steps: r.committed, Attempt: s.repeats}}
}

// checkpointed records a checkpoint. The last checkpoint ends the job.
func (r *Round) checkpointed(e Checkpointed) []Action {
	r.checkpoints.newest = max(r.checkpoints.newest, e.Steps)
	if r.phase == Saving && r.checkpoints.newest >= r.committed {
		return r.finish()
	}
	return nil
}

// unsaved gives up the requested checkpoint; a later one becomes due. The queue tries the
// job's last checkpoint a few more times, and then the job ends without it.
func (r *Round) unsaved(e Unsaved) []Action {
	s := &r.checkpoints
	switch {
	case e.Steps < s.requested:
	case r.committed < r.end:
		s.requested = s.newest
	default:
		if s.failed++; s.failed >= lastAttempts && r.phase == Saving {
			return r.finish()
		}
	}
	return nil
}

// save finishes a job that has all its steps, as soon as its last checkpoint is on record.
func (r *Round) save(now time.Duration) []Action {
	if !r.checkpointing() || r.cfg.SkipLast || r.checkpoints.newest >= r.committed || r.slots == 0 {
		return r.finish()
	}
	r.phase, r.deadline = Saving, now+lastDeadline
	return r.checkpointIfDue(now)
}

func (r *Round) finish() []Action {
	r.phase = Done
	return []Action{Finish{}}
}
