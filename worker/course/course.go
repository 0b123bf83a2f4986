// Package course decides the course of one gradient task from step to step: when
// the worker waits for the ledger, when it folds a root speculatively, when it
// commits many steps at once, when it stops, and what it announces.
//
// It owns these decisions and nothing else: events go in, one action comes out. It
// has no clock, no I/O and no goroutine. worker/compute carries the actions out and
// holds the vectors.
//
// Invariant: at most one append or batch commit is in flight. When the task ends,
// none is, and the replica has no step that the ledger lacks.
package course

import (
	"fmt"

	"tributary/shared/job"
	"tributary/shared/tree"
)

// Limits say how a job's steps may reach the ledger.
type Limits struct {
	MinBatch int64 // a batch commit has at least so many steps, for it stores the optimizer's vectors; 0: there are none
	MaxBatch int64 // and at most so many
	Lossy    bool  // a root is rounded before it is folded or appended
}

// Course is the state machine of one gradient task. The zero value is not ready; use
// New.
type Course struct {
	task       job.Task
	limits     Limits
	root       bool  // the task's node is the root
	first, end int64 // the task's steps
	every      int64 // steps between announcements

	last        Action // the action in hand, which the next event answers
	step        int64  // the step in hand
	goal        goal
	err         error // the task's outcome so far
	failure     Event // what the replica is reset for
	append      inFlight
	batch       batch
	partly      int64 // the step of whose root this task has appended only a part; -1: none
	unannounced int64 // committed steps that this task has not announced; 0: none
	misled      int   // how often in a row the step in hand was not ready although a notice said so
}

// goal is what the machine does when nothing is in flight any more.
type goal int

const (
	stepping goal = iota // it does not wait for that: steps go on
	leveling             // it folds the root in hand by itself, outside a batch
	ending               // it ends the task
)

// inFlight is an append or a batch commit that runs in the background.
type inFlight struct {
	runs bool
	step int64 // its first step
}

// New returns the machine of a task, waiting for Begun.
func New(t job.Task, l Limits) *Course {
	return &Course{
		task: t, limits: l, root: t.Node == tree.Root, first: t.Step, end: t.End(), every: t.Announce,
		step: t.Step, partly: -1,
	}
}

// Handle takes the event that answers the last action, and returns the next one. Nothing
// follows End.
func (c *Course) Handle(e Event) Action {
	if c.last.Do != End {
		c.last = c.next(e)
	}
	return c.last
}

// Err is the outcome of a task that has ended.
func (c *Course) Err() error { return c.err }

func (c *Course) next(e Event) Action {
	switch e.Is {
	case Begun:
		return c.take()
	case Done:
		return c.done(c.last)
	case Failed:
		return c.failed(e)
	case Seen:
		return c.seen(e)
	case Recalled, Overdue:
		return c.finish(nil) // the coordinator publishes what is missing
	case Leaving:
		return c.finish(job.ErrStopped)
	case Checked:
		return c.checked(e)
	case Contended:
		return Action{Do: Yield}
	case Stored:
		return c.advance()
	case StoredPart:
		return Action{Do: Append, Step: c.step}
	case StoredRoot:
		return c.whole()
	case Refused:
		return c.refused()
	}
	return c.finish(fmt.Errorf("course of task %s: unknown event %+v", c.task.Name(), e))
}

// done goes on after an action.
func (c *Course) done(a Action) Action {
	switch a.Do {
	case Complete, Yield:
		return c.take()
	case Compute:
		if c.append.runs {
			return Action{Do: WaitAppend}
		}
		return c.deliver()
	case Round:
		return c.whole()
	case Speculate:
		if a.Has(Batch) {
			return c.grow()
		}
		return c.startAppend()
	case StartAppend:
		c.append, c.unannounced = inFlight{true, c.step}, 0
		if a.Has(Quiet) {
			c.unannounced = c.step + 1
		}
		return c.advance()
	case WaitAppend:
		c.append = inFlight{}
		if c.goal == stepping {
			return c.deliver()
		}
		return c.level()
	case Append:
		c.unannounced = 0
		if !a.Has(Whole) {
			c.partly = c.step
		}
		return c.advance()
	case StartBatch:
		return c.batchStarted(a)
	case WaitBatch:
		return c.batchCommitted()
	case Reset:
		return c.fallBack(c.failure)
	case Announce:
		return Action{Do: End}
	case Look, Wait, Check, Store, End: // other events answer them
	}
	return c.finish(fmt.Errorf("course of task %s: nothing follows %s", c.task.Name(), a.Do))
}

// take begins the step in hand.
func (c *Course) take() Action {
	if c.batches() && !c.speculative() {
		return Action{Do: Check, Step: c.step}
	}
	compute := Action{Do: Compute, Step: c.step}
	if c.speculative() {
		compute.With = Speculative
	}
	return compute
}

// checked makes sure that a batch begins with the ledger's next step: nothing that the
// ledger has is computed for long.
func (c *Course) checked(e Event) Action {
	if e.Committed != c.step {
		return c.fail(fmt.Errorf("step %d: the ledger has %d steps: %w", c.step, e.Committed, job.ErrStale), e.Committed)
	}
	return Action{Do: Compute, Step: c.step}
}

// speculative reports whether the replica has steps that the ledger may lack.
func (c *Course) speculative() bool { return c.append.runs || c.batch.open }

// deliver brings the computed partial to where it belongs.
func (c *Course) deliver() Action {
	switch {
	case !c.root:
		return Action{Do: Store, Step: c.step}
	case c.limits.Lossy:
		return Action{Do: Round, Step: c.step}
	}
	return c.whole()
}

// whole goes on with the whole root of the step in hand.
func (c *Course) whole() Action {
	if c.batches() {
		return c.speculateBatch()
	}
	return c.single()
}

// single folds the root and appends it in the background, if there is a next step to
// compute meanwhile.
func (c *Course) single() Action {
	if c.step+1 < c.end {
		return Action{Do: Speculate, Step: c.step}
	}
	return Action{Do: Append, Step: c.step, With: Whole}
}

// refused goes on when the replica did not fold the root: somebody in this worker waits
// for a fold that the ledger has.
func (c *Course) refused() Action {
	if c.last.Has(Batch) {
		c.goal = leveling
		return c.level()
	}
	return Action{Do: Append, Step: c.step, With: Whole}
}

// startAppend appends the folded root. Its commit need not be announced at once if nobody
// else computes the task's steps and a later one is announced soon.
func (c *Course) startAppend() Action {
	start := Action{Do: StartAppend, Step: c.step}
	if c.root && c.every > 1 && c.step+1 < c.end && (c.step-c.first+1)%c.every != 0 {
		start.With = Quiet
	}
	return start
}

// advance ends the step in hand and looks whether the next is wanted.
func (c *Course) advance() Action {
	c.misled = 0
	c.step++
	return c.await()
}

// await asks how far the ledger is. The worker waits for the ledger only if it knows
// nothing of the step before.
func (c *Course) await() Action {
	switch {
	case c.step >= c.end:
		return c.finish(nil)
	case c.speculative():
		return Action{Do: Look}
	}
	return Action{Do: Wait, Step: c.step}
}

// seen takes the step in hand, if the step before is committed or this task's own.
func (c *Course) seen(e Event) Action {
	if e.Committed < c.step && !c.speculative() {
		return Action{Do: Wait, Step: c.step}
	}
	partly := c.partly
	if c.partly = -1; partly == c.step-1 && partly >= 0 {
		return Action{Do: Complete, Step: partly}
	}
	return c.take()
}

// finish ends the task with that outcome, once nothing is in flight.
func (c *Course) finish(err error) Action {
	c.goal, c.err = ending, err
	return c.level()
}

// level brings the ledger to where the replica is, and then goes on to the goal.
func (c *Course) level() Action {
	switch {
	case c.append.runs:
		return Action{Do: WaitAppend}
	case c.batch.commit.runs || c.batch.steps > 0:
		return c.commitBatch()
	}
	c.batch.open = false
	if c.goal == leveling {
		c.goal = stepping
		return c.single()
	}
	if c.err == nil && c.unannounced > 0 {
		return Action{Do: Announce, Step: c.unannounced} // the coordinator that recalled the task waits for it
	}
	return Action{Do: End}
}
