package course

import (
	"errors"
	"fmt"

	"tributary/shared/job"
)

// ErrBehind says that the ledger has not come to the task's step.
var ErrBehind = fmt.Errorf("the ledger is behind: %w", job.ErrStale)

// MaxMisled bounds how often the task waits once more for a step's commit that a
// notice announced wrongly.
const MaxMisled = 20

// at names the step of a task of several that an error is about.
func (c *Course) at(step int64, err error) error {
	if c.end == c.first+1 {
		return err
	}
	return &job.TaskError{Task: c.task.At(step), Err: err}
}

// failed decides what an action's failure means.
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
		return c.fallBack(Event{Err: errors.Join(c.failure.Err, e.Err), Committed: e.Committed})
	default:
		return c.fail(e.Err, e.Committed)
	}
}

// reset has the replica discard steps that may not be in the ledger.
func (c *Course) reset(f Event) Action {
	c.failure = f
	return Action{Do: Reset}
}

// fallBack goes on after the replica was reset because of a failure.
func (c *Course) fallBack(f Event) Action {
	c.failure = Event{}
	if c.goal == ending {
		c.err = f.Err // of an earlier step than what came after
		return c.level()
	}
	c.goal = stepping
	return c.fail(f.Err, f.Committed)
}

// fail decides what the failure of the step in hand means, when the ledger had so many
// steps.
func (c *Course) fail(err error, committed int64) Action {
	if errors.Is(err, job.ErrStale) {
		if committed > c.step && committed < c.end {
			c.step = committed // another worker did the steps before
			return c.await()
		}
		if errors.Is(err, ErrBehind) && c.step > c.first && c.misled < MaxMisled {
			c.misled++
			return c.await()
		}
	}
	return c.finish(c.at(c.step, err))
}
