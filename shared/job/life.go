package job

import (
	"fmt"
	"time"
)

// DefaultPriority is the priority of a job whose spec names none.
const DefaultPriority = 10

// Request is what a person may ask for a job.
type Request string

// The requests. Each may be repeated: a request that already holds changes nothing.
const (
	Pause  Request = "pause"  // take no more steps; keep what is there
	Resume Request = "resume" // go on: a paused job from where it stopped, a failed or cancelled job from what is there
	Retry  Request = "retry"  // go on after a failure or a cancellation
	Cancel Request = "cancel" // end without a model
	Remove Request = "remove" // delete a job that has ended, so that its id is free
)

// Ask applies a request to the record and reports whether that changed the record. If the
// request makes no sense in the job's state, Ask fails with ErrConflict and changes
// nothing.
func (r *Record) Ask(q Request, now time.Time) (changed bool, err error) {
	if r.Removing {
		if q == Remove {
			return false, nil
		}
		return false, r.refuse(q, "it is being removed")
	}
	switch q {
	case Pause:
		return r.pause()
	case Cancel:
		return r.cancel(now)
	case Resume, Retry:
		return r.goOn(q)
	case Remove:
		if !r.State.Final() {
			return false, r.refuse(q, "cancel it first")
		}
		r.Removing = true
		return true, nil
	}
	return false, fmt.Errorf("request %.40q: %w", string(q), ErrInvalid)
}

func (r *Record) pause() (bool, error) {
	switch {
	case r.State == Paused:
		return false, nil
	case r.State.Final():
		return false, r.refuse(Pause, "it has ended")
	}
	r.State, r.Message = Paused, ""
	return true, nil
}

func (r *Record) cancel(now time.Time) (bool, error) {
	switch {
	case r.State == Cancelled:
		return false, nil
	case r.State.Final():
		return false, r.refuse(Cancel, "it has ended")
	}
	r.State, r.Finished, r.Message = Cancelled, &now, ""
	return true, nil
}

// goOn makes a job that stands still go on from where its plan and its ledger are. The
// job keeps its run, because everything stored about it belongs to the same computation.
func (r *Record) goOn(q Request) (bool, error) {
	switch {
	case r.State.Driven():
		return false, nil
	case r.State == Succeeded:
		return false, r.refuse(q, "there is nothing left to do")
	case r.State == Paused && q == Retry:
		return false, r.refuse(q, "it has not ended; resume it")
	case r.State != Paused:
		r.Error, r.Finished, r.Outcome, r.Released = "", nil, nil, false
		r.Resumed++
	}
	r.State = r.reached()
	return true, nil
}

// reached returns the state in which a job goes on.
func (r *Record) reached() State {
	switch {
	case r.Plan != "":
		return Running
	case r.Started != nil:
		return Preparing
	default:
		return Submitted
	}
}

// refuse returns the error for a request that makes no sense.
func (r *Record) refuse(q Request, why string) error {
	verb := "is"
	if r.State == Succeeded || r.State == Failed {
		verb = "has"
	}
	return fmt.Errorf("job %q %s %s and cannot be %s: %s: %w", r.ID, verb, r.State, done[q], why, ErrConflict)
}

// done says what a job is after a request was granted.
var done = map[Request]string{Pause: "paused", Resume: "resumed", Retry: "retried", Cancel: "cancelled", Remove: "removed"}
