package course

import (
	"errors"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"tributary/shared/job"
	"tributary/shared/tree"
)

// world stands for worker/compute; its ledger and its replica are only numbers of steps.
// As rapid draws it, other workers commit steps and wait for confirmed folds, the ledger
// loses steps, and calls fail.
type world struct {
	*rapid.T
	task job.Task

	calm        bool  // nothing fails, no other worker commits, and the task is not stopped
	committed   int64 // steps that the ledger has
	folded      int64 // steps that the replica has
	confirmed   int64 // how many of these it has confirmed
	computed    int64 // the step of the current partial; -1: none
	known       int64 // steps that the ledger had when the worker read it last
	flight      *Action
	flightFails bool
	flightTo    int64
	stopped     bool // the task had to stop, or waited until the timeout
}

var errFault = errors.New("fault")

// TestTheTaskBringsItsStepsToTheLedger checks that worker/compute can always carry out
// the actions in their order. The task ends with nothing in flight and with no step that
// the ledger lacks.
func TestTheTaskBringsItsStepsToTheLedger(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		from := rapid.Int64Range(0, 3).Draw(t, "from")
		w := &world{T: t, committed: from, folded: from, confirmed: from, known: from, computed: -1}
		w.task = job.Task{Kind: job.Gradient, Step: from, Steps: rapid.Int64Range(0, 30).Draw(t, "steps")}
		w.task.Node = rapid.SampledFrom([]tree.Node{tree.Root, tree.Root, 2}).Draw(t, "node")
		w.task.Announce = rapid.Int64Range(0, 12).Draw(t, "announce")
		w.calm = rapid.Bool().Draw(t, "calm")
		l := Limits{MinBatch: rapid.Int64Range(0, 4).Draw(t, "least"), MaxBatch: rapid.Int64Range(4, 9).Draw(t, "most")}
		if l.MinBatch == 0 {
			l.Lossy = rapid.Bool().Draw(t, "lossy")
		}
		c := New(w.task, l)
		for e, n := (Event{Is: Begun}), 0; ; n++ {
			require.Less(t, n, 2000, "the task does not end")
			a := c.Handle(e)
			if a.Do == End {
				w.ended(c.Err())
				return
			}
			w.others()
			e = w.do(a)
		}
	})
}

func (w *world) chance(of int, what string) bool {
	return !w.calm && rapid.IntRange(1, of).Draw(w.T, what) == 1
}

// others lets other workers change the ledger.
func (w *world) others() {
	if w.chance(20, "others commit") {
		w.committed += rapid.Int64Range(1, 5).Draw(w.T, "so many")
	}
	if w.chance(60, "steps are lost") {
		w.committed = rapid.Int64Range(0, w.committed).Draw(w.T, "all but")
	}
}

func (w *world) failed(err error) Event { return Event{Is: Failed, Err: err, Committed: w.known} }

// do carries out an action, and checks that it is possible now.
func (w *world) do(a Action) Event {
	if w.chance(40, a.Do.String()+" fails") {
		switch a.Do {
		case Poll, Complete, StartAppend, WaitAppend, WaitBatch, Reset, Announce: // these do not fail by themselves
		default:
			return w.failed(errFault)
		}
	}
	switch a.Do {
	case Poll, Wait:
		return w.poll(a)
	case Check:
		w.known = w.committed
		return Event{Is: Checked, Committed: w.committed}
	case Compute:
		return w.compute(a)
	case Round, Complete:
		require.Nil(w, w.flight)
	case Yield:
		require.Equal(w, w.confirmed, w.folded, "the task would wait for itself")
	case Store:
		require.Equal(w, w.computed, a.Step)
		if w.calm {
			return Event{Is: StoredRoot}
		}
		return Event{Is: rapid.SampledFrom([]Answer{Stored, StoredChunks, StoredRoot}).Draw(w.T, "stored")}
	case Speculate:
		return w.speculate(a)
	case Append:
		return w.append(a)
	case StartAppend:
		require.Equal(w, a.Step+1, w.folded)
		w.start(a, a.Step, a.Step+1)
	case StartBatch:
		if w.folded != a.Step+a.Steps {
			return w.failed(job.ErrStale) // the replica was reset
		}
		require.Positive(w, a.Steps)
		require.Equal(w, w.confirmed, a.Step, "no step is left out")
		w.start(a, a.Step, a.Step+a.Steps)
	case WaitAppend, WaitBatch:
		return w.wait(a)
	case Reset:
		require.Nil(w, w.flight)
		w.folded, w.confirmed = 0, 0
	case Announce:
		require.LessOrEqual(w, a.Step, w.task.End())
	default:
		require.Fail(w, "unknown action", "%+v", a)
	}
	return Event{Is: Done}
}

// poll answers Poll and Wait.
func (w *world) poll(a Action) Event {
	e := Event{Is: Seen, Committed: w.committed}
	switch {
	case w.chance(60, "leaving"):
		e.Is = Leaving
	case w.chance(60, "recalled"):
		e.Is = Recalled
	case a.Do == Poll || w.committed >= a.Step:
	case w.chance(2, "a notice lies"):
		e.Committed = a.Step
	default:
		e.Is = Overdue
	}
	w.stopped = w.stopped || e.Is != Seen
	return e
}

// compute brings the replica to the step.
func (w *world) compute(a Action) Event {
	require.Equal(w, w.confirmed != w.folded, a.Has(Speculative) && w.folded > 0, "step %d", a.Step)
	w.known = w.committed
	switch {
	case w.confirmed != w.folded:
		require.Equal(w, w.folded, a.Step)
	case !a.Has(Speculative) && w.chance(20, "contended"):
		return Event{Is: Contended}
	case w.committed < a.Step:
		return w.failed(ErrBehind)
	case w.committed > a.Step:
		return w.failed(job.ErrStale)
	default:
		w.folded, w.confirmed = a.Step, a.Step
	}
	w.computed = a.Step
	return Event{Is: Done}
}

func (w *world) speculate(a Action) Event {
	require.Equal(w, w.computed, a.Step)
	require.Equal(w, a.Has(Own), w.confirmed != w.folded)
	require.True(w, a.Has(Batch) || w.flight == nil)
	if w.folded != a.Step || w.chance(10, "somebody waits") {
		return Event{Is: Refused}
	}
	w.folded++
	return Event{Is: Done}
}

func (w *world) append(a Action) Event {
	require.Equal(w, w.computed, a.Step)
	require.Nil(w, w.flight)
	if a.Has(Whole) && w.committed == a.Step {
		w.committed++
		w.folded, w.confirmed = w.committed, w.committed
	}
	return Event{Is: Done}
}

func (w *world) start(a Action, from, to int64) {
	require.Nil(w, w.flight, "one at a time")
	w.flight, w.flightTo = &a, to
	if w.flightFails = w.committed != from || w.chance(10, "in flight"); !w.flightFails {
		w.committed = to
	}
}

func (w *world) wait(a Action) Event {
	require.NotNil(w, w.flight)
	require.Equal(w, a.Do == WaitBatch, w.flight.Do == StartBatch)
	w.flight, w.known = nil, w.committed
	if w.flightFails {
		return w.failed(job.ErrStale)
	}
	w.confirmed = w.flightTo
	return Event{Is: Done}
}

func (w *world) ended(outcome error) {
	require.Nil(w, w.flight, "nothing is in flight")
	require.Equal(w, w.confirmed, w.folded, "the ledger has every step")
	if w.calm {
		require.NoError(w, outcome)
		require.True(w, w.stopped || w.committed == w.task.End(), "%d of %d steps", w.committed, w.task.End())
	}
}
