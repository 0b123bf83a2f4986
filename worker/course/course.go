// Package course decides the next action of one gradient task. A task covers one or more
// steps. The package decides when the worker waits for the ledger, and when it folds a
// root speculatively. It also decides when the worker commits many steps in one batch,
// when it stops, and which commits it announces.
//
// It owns these decisions and nothing else. The caller passes an event in, and Course
// returns one action. The package has no clock, no I/O and no goroutine. worker/compute
// calls it, carries out the actions and holds the vectors.
//
// Invariant: at most one append or one batch commit is in flight. When the task ends,
// nothing is in flight, and the replica has folded no step that the ledger lacks.
package course

import (
	"fmt"

	"tributary/shared/job"
	"tributary/shared/tree"
)

// Limits say how the steps of a job may get into the ledger.
type Limits struct {
	MinBatch int64 // the fewest steps of a batch commit, because it stores the optimizer's vectors too; 0: no batch commits
	MaxBatch int64 // the most steps of a batch commit
	Lossy    bool  // the wire format is lossy: the worker rounds a root before it folds or appends the root
}

// Course is the state machine of one gradient task. The zero value is not ready; use New.
type Course struct {
	task       job.Task
	limits     Limits
	root       bool  // the task's node is the root
	first, end int64 // the task's step range [first, end)
	every      int64 // steps between announcements

	last           Action // the action returned last; the next event answers it
	step           int64  // the current step
	goal           goal
	err            error // the task's outcome so far
	failure        Event // the failure that made the course reset the replica
	append         inFlight
	batch          batch
	partlyAppended int64 // the step for which this task appended only some chunks of the root; -1: none
	unannounced    int64 // the number of committed steps to announce at the end; 0: all are announced
	misled         int   // how often in a row the current step was not ready although a notice announced it
}

// goal is what the machine does after nothing is in flight any more.
type goal int

const (
	stepping goal = iota // it does not wait for the flight to end; it goes on with the steps
	draining             // it folds the current root on its own, outside a batch
	ending               // it ends the task
)

// inFlight is an append or a batch commit that runs in the background.
type inFlight struct {
	runs bool
	step int64 // its first step
}

// New returns the state machine of a task. It waits for the event Begun.
func New(t job.Task, l Limits) *Course {
	return &Course{
		task: t, limits: l, root: t.Node == tree.Root, first: t.Step, end: t.End(), every: t.Announce,
		step: t.Step, partlyAppended: -1,
	}
}

// Handle takes the event that answers the last action, and returns the next action. After
// End it returns End again.
func (c *Course) Handle(e Event) Action {
	if c.last.Do != End {
		c.last = c.next(e)
	}
	return c.last
}

// Err returns the outcome of a task that has ended; nil means success.
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
		return c.finish(nil) // the coordinator publishes tasks for the steps that are missing
	case Leaving:
		return c.finish(job.ErrStopped)
	case Checked:
		return c.checked(e)
	case Contended:
		return Action{Do: Yield}
	case Stored:
		return c.advance()
	case StoredChunks:
		return Action{Do: Append, Step: c.step}
	case StoredRoot:
		return c.whole()
	case Refused:
		return c.refused()
	}
	return c.finish(fmt.Errorf("course of task %s: unknown event %+v", c.task.Name(), e))
}

// done returns the action that follows a successful action a.
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
			return c.extendBatch()
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
		return c.drain()
	case Append:
		c.unannounced = 0
		if !a.Has(Whole) {
			c.partlyAppended = c.step
		}
		return c.advance()
	case StartBatch:
		return c.batchStarted(a)
	case WaitBatch:
		return c.batchCommitted()
	case Reset:
		return c.afterReset(c.failure)
	case Announce:
		return Action{Do: End}
	case Poll, Wait, Check, Store, End: // other events answer them
	}
	return c.finish(fmt.Errorf("course of task %s: nothing follows %s", c.task.Name(), a.Do))
}

// take begins the current step.
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

// checked makes sure that a batch begins with the next step of the ledger. Otherwise the
// worker could compute many steps that the ledger already has.
func (c *Course) checked(e Event) Action {
	if e.Committed != c.step {
		return c.fail(fmt.Errorf("step %d: the ledger has %d steps: %w", c.step, e.Committed, job.ErrStale), e.Committed)
	}
	return Action{Do: Compute, Step: c.step}
}

// speculative reports whether the replica may have steps that the ledger lacks.
func (c *Course) speculative() bool { return c.append.runs || c.batch.open }

// deliver returns the action that follows after the partial is computed: store it, round
// it, or use it as the root.
func (c *Course) deliver() Action {
	switch {
	case !c.root:
		return Action{Do: Store, Step: c.step}
	case c.limits.Lossy:
		return Action{Do: Round, Step: c.step}
	}
	return c.whole()
}

// whole returns the next action when the task has the whole root of the current step.
func (c *Course) whole() Action {
	if c.batches() {
		return c.speculateBatch()
	}
	return c.single()
}

// single handles the current root without a batch. If the task has a next step to compute
// meanwhile, the worker folds the root and appends it in the background. Otherwise the
// worker appends it and waits.
func (c *Course) single() Action {
	if c.step+1 < c.end {
		return Action{Do: Speculate, Step: c.step}
	}
	return Action{Do: Append, Step: c.step, With: Whole}
}

// refused returns the next action when the replica did not fold the root speculatively,
// for example because another task of this worker waits for a confirmed fold.
func (c *Course) refused() Action {
	if c.last.Has(Batch) {
		c.goal = draining
		return c.drain()
	}
	return Action{Do: Append, Step: c.step, With: Whole}
}

// startAppend appends the folded root in the background. The worker need not announce
// this commit at once if two conditions hold. The task's node is the root, so no other
// node has a part in these steps. And the worker announces a later step soon.
func (c *Course) startAppend() Action {
	start := Action{Do: StartAppend, Step: c.step}
	if c.root && c.every > 1 && c.step+1 < c.end && (c.step-c.first+1)%c.every != 0 {
		start.With = Quiet
	}
	return start
}

// advance goes to the next step and checks whether the task may compute it.
func (c *Course) advance() Action {
	c.misled = 0
	c.step++
	return c.await()
}

// await returns the action that finds out how many steps are committed. The worker waits
// for the ledger only if the replica has no speculative step.
func (c *Course) await() Action {
	switch {
	case c.step >= c.end:
		return c.finish(nil)
	case c.speculative():
		return Action{Do: Poll}
	}
	return Action{Do: Wait, Step: c.step}
}

// seen begins the current step if the step before is committed, or if this task folded it
// speculatively.
func (c *Course) seen(e Event) Action {
	if e.Committed < c.step && !c.speculative() {
		return Action{Do: Wait, Step: c.step}
	}
	partly := c.partlyAppended
	if c.partlyAppended = -1; partly == c.step-1 && partly >= 0 {
		return Action{Do: Complete, Step: partly}
	}
	return c.take()
}

// finish ends the task with the outcome err, after nothing is in flight any more.
func (c *Course) finish(err error) Action {
	c.goal, c.err = ending, err
	return c.drain()
}

// drain waits until nothing is in flight and every folded step is in the ledger. Then it
// goes on to the goal.
func (c *Course) drain() Action {
	switch {
	case c.append.runs:
		return Action{Do: WaitAppend}
	case c.batch.commit.runs || c.batch.steps > 0:
		return c.commitBatch()
	}
	c.batch.open = false
	if c.goal == draining {
		c.goal = stepping
		return c.single()
	}
	if c.err == nil && c.unannounced > 0 {
		return Action{Do: Announce, Step: c.unannounced} // the coordinator that recalled the task waits for this announcement
	}
	return Action{Do: End}
}
