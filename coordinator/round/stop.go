package round

import "time"

// Stop asks to record that the job ends after Steps steps, because its time is over.
type Stop struct{ Steps int64 }

func (Stop) action() {}

// stopIfDue ends the job after the committed steps if its time is over. No task that is
// published covers later steps then, or it is recalled. A worker that misses the recall may
// still commit a step; then the job ends after that one.
func (r *Round) stopIfDue(now time.Duration) []Action {
	switch {
	case r.stopped && r.committed > r.end:
		r.end = r.committed
		return []Action{Stop{Steps: r.end}}
	case r.stopped || r.cfg.Deadline == 0 || now < r.cfg.Deadline || r.committed < 1 || r.committed >= r.end:
		return nil
	}
	r.stopped, r.end = true, r.committed
	stop := []Action{Stop{Steps: r.end}}
	if r.published.end > r.committed {
		stop = append([]Action{Recall{}}, stop...)
	}
	return stop
}

// lastStep returns the number of steps that the job takes by what is known before any
// evaluation.
func (r *Round) lastStep() int64 {
	if r.cfg.StopAt > 0 {
		return r.cfg.StopAt
	}
	return r.cfg.Steps
}

// untilDeadline shortens a step range that would take longer than the job's time.
func (r *Round) untilDeadline(now time.Duration, steps int64) int64 {
	if r.cfg.Deadline == 0 || r.stopped {
		return steps
	}
	return min(steps, r.stepsIn(max(0, r.cfg.Deadline-now)))
}
