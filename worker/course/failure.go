package course

import (
	"errors"
	"fmt"

	"tributary/shared/job"
)

// ErrBehind means that the ledger has fewer steps than the task's step needs.
var ErrBehind = fmt.Errorf("the ledger is behind: %w", job.ErrStale)

// MaxMisled bounds how often the task waits again for the commit of a step that a notice
// announced wrongly.
const MaxMisled = 20

// at adds the step to an error of a task that covers several steps.
func (c *Course) at(step int64, err error) error {
	if c.end == c.first+1 {
		return err
	}
	return &job.TaskError{Task: c.task.At(step), Err: err}
}

// failed returns the next action when the last action failed.
func (c *Course) failed(e Event) Action {
	switch c.last.Do {
	case Wait:
		return c.finish(c.at(c.step-1, e.Err))
	case WaitAppend:
		step := c.append.step
		c.append = inFlight{}
		return c.reset(Event{Err: c.at(step, e.Err), Committed: e.Committed})
	case StartBatch, WaitBatch:
		return c.reset(Event{Err: c.at(c.abandonBatch(), e.Err), Committed: e.Committed})
	case Reset:
		return c.afterReset(Event{Err: errors.Join(c.failure.Err, e.Err), Committed: e.Committed})
	default:
		return c.fail(e.Err, e.Committed)
	}
}

// reset makes the replica discard the steps that may not be in the ledger.
func (c *Course) reset(f Event) Action {
	c.failure = f
	return Action{Do: Reset}
}

// afterReset returns the next action after the failure f made the course reset the
// replica.
func (c *Course) afterReset(f Event) Action {
	c.failure = Event{}
	if c.goal == ending {
		c.err = f.Err // f is about an earlier step than the outcome so far
		return c.drain()
	}
	c.goal = stepping
	return c.fail(f.Err, f.Committed)
}

// fail returns the next action when the current step failed; committed is the number of
// steps that the ledger had.
func (c *Course) fail(err error, committed int64) Action {
	if errors.Is(err, job.ErrStale) {
		if committed > c.step && committed < c.end {
			c.step = committed // another worker committed the steps before
			return c.await()
		}
		if errors.Is(err, ErrBehind) && c.step > c.first && c.misled < MaxMisled {
			c.misled++
			return c.await()
		}
	}
	return c.finish(c.at(c.step, err))
}
