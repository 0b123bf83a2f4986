package compute

import (
	"errors"
	"fmt"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"

	"tributary/shared/history"
	"tributary/shared/job"
	"tributary/shared/ledger"
	"tributary/shared/ledger/ledgertest"
	"tributary/shared/notice"
	"tributary/shared/plan"
	"tributary/shared/serial"
	"tributary/shared/tree"
)

// batched returns a fixture whose job has so many steps; its optimizer has one vector.
func batched(t *testing.T, steps int64) *fixture {
	return newFixture(t, func(p *plan.Plan) { p.Spec.Steps = steps })
}

// far returns the root's task for all steps. At most so many steps may be committed at a
// time.
func (f *fixture) far(every int64) job.Task {
	t := f.gradient(0, tree.Root)
	t.Steps, t.Announce = f.plan.Spec.Steps, every
	return t
}

// requireWalked checks that the ledger has the same bytes for all steps as the plain
// loop.
func (f *fixture) requireWalked(r require.TestingT) {
	ctx, lay, n := f.t.Context(), f.layout(), f.plan.Spec.Steps
	var want []ledger.Progress
	var marks []ledger.Mark
	w := serial.NewWalk(f.engine())
	for w.Step < n {
		require.NoError(r, w.Compute(ctx))
		want = append(want, ledger.Progress{Step: w.Step, Sums: w.Sums})
		w.Fold()
		marks = append(marks, w.Chain.Mark())
	}
	losses, err := f.ledger.Losses(ctx, lay, 0, n)
	require.NoError(r, err)
	require.Equal(r, want, losses)
	require.Equal(r, n, f.state().Committed)
	c := f.worker(nil)
	require.Equal(r, w.Params(), f.folded(c, n))
	h, err := history.Load(ctx, f.ledger, lay)
	require.NoError(r, err)
	for step, m := range marks[:f.state().Snapshot] {
		got, ok := h.At(int64(step))
		require.True(r, ok, "step %d", step)
		require.Equal(r, m, got)
	}
}

func TestManyStepsAreCommittedByTheirSnapshot(t *testing.T) {
	f := batched(t, 22)
	c := f.worker(nil)
	f.do(c, f.far(5))
	require.Equal(t, []int64{5, 10, 15, 22}, f.notices.commits, "what is left goes with the last")
	require.Equal(t, f.notices.commits, f.notices.snapshots, "nobody need ask for one")
	require.Equal(t, ledger.State{Committed: 22, Snapshot: 22, Floor: 22}, f.state())
	f.requireWalked(t)
	require.Len(t, f.folded(c, 22), f.layout().Params, "the replica is confirmed")
}

// Steps after the longest batch are committed by another batch, even when they are few.
// The replica has steps that the ledger lacks, so the worker cannot append them.
func TestAFewStepsAreLeftAfterTheLongestBatch(t *testing.T) {
	for left := range int64(5) {
		t.Run(strconv.FormatInt(left, 10), func(t *testing.T) {
			n := int64(ledger.MaxBatch) + left
			f := batched(t, n)
			want := []int64{ledger.MaxBatch}
			if left > 0 {
				want = append(want, n)
			}
			f.do(f.worker(nil), f.far(n))
			require.Equal(t, want, f.notices.commits)
			f.requireWalked(t)
		})
	}
}

// A snapshot of two vectors is no better than two roots. For a lossy wire the ledger must
// have each residual.
func TestFewStepsAreLogged(t *testing.T) {
	f := batched(t, 10)
	f.do(f.worker(nil), f.far(2))
	require.Equal(t, ledger.State{Committed: 10}, f.state())
	f.requireWalked(t)
	f = newFixture(t, func(p *plan.Plan) { p.Spec.Steps, p.Spec.Wire = 10, "bfloat16" })
	f.do(f.worker(nil), f.far(10))
	require.Equal(t, ledger.State{Committed: 10}, f.state())
}

// counted calls at after so many calls of Progress.
type counted struct {
	hold
	left *atomic.Int64
	at   func()
	gone chan struct{}
}

func (c counted) Progress() {
	if c.left.Add(-1) == 0 {
		c.at()
	}
}

func (c counted) Leaving() <-chan struct{} { return c.gone }

// A worker whose task ends early commits what it has folded. It announces all of it to
// the coordinator that recalled the task, even the steps that are too few for a batch.
func TestATaskThatEndsEarlyCommitsWhatItHas(t *testing.T) {
	for _, progress := range []int64{1, 7, 30, 61} {
		for _, way := range []string{"recalled", "recalled from the log", "stopped"} {
			t.Run(fmt.Sprintf("%s after %d", way, progress), func(t *testing.T) {
				every := int64(5)
				if way == "recalled from the log" {
					every = 2
				}
				f := batched(t, 22)
				h := counted{left: &atomic.Int64{}, gone: make(chan struct{})}
				h.left.Store(progress)
				h.at = func() { close(h.gone) }
				if way != "stopped" {
					h.gone = nil
					h.at = func() { f.recall(notice.Recall{Ref: f.far(every).Ref, Before: 1}) }
				}
				c := f.worker(nil)
				err := c.Handle(t.Context(), f.far(every), h)
				if way != "stopped" {
					require.NoError(t, err)
					require.Equal(t, f.state().Committed, f.notices.commits[len(f.notices.commits)-1])
				} else {
					require.ErrorIs(t, err, job.ErrStopped)
				}
				at := f.state().Committed
				require.Positive(t, at)
				require.Less(t, at, int64(22))
				require.Len(t, f.folded(c, at), f.layout().Params)
				f.do(f.worker(nil), f.far(4))
				f.requireWalked(t)
			})
		}
	}
}

// For each call of the ledger that fails, before or after it took effect, the next
// attempt goes on from what the ledger has.
func TestABatchFailsAtEveryCall(t *testing.T) {
	for _, after := range []bool{false, true} {
		for k := 1; ; k++ {
			f := batched(t, 13)
			l := &ledgertest.Faulty{Next: f.ledger, K: k, After: after}
			c := f.worker(l)
			err := c.Handle(t.Context(), f.far(4), none)
			if err == nil {
				require.Greater(t, k, l.Calls)
				require.Greater(t, k, 9)
				break
			}
			require.ErrorIs(t, err, ledgertest.ErrInjected)
			l.K = 0
			if err := c.Handle(t.Context(), f.far(4), none); err != nil {
				require.ErrorIs(t, err, job.ErrStale)
			}
			f.requireWalked(t)
		}
	}
}

// Several workers compute the same steps, alone or with others, in any ranges. All get
// the same bits.
func TestBatchesOfSeveralWorkers(t *testing.T) {
	for range 20 {
		f := batched(t, 22)
		left, right := f.far(0), f.far(0)
		left.Node, right.Node = 2, 3
		tasks := []job.Task{f.far(5), f.far(3), f.far(22), f.far(1), left, right}
		for n := 0; f.state().Committed < 22; n++ {
			require.Less(t, n, 22, "each time they come further")
			for _, err := range f.together(none, tasks...) {
				if err != nil {
					require.ErrorIs(t, err, job.ErrStale)
				}
			}
		}
		f.requireWalked(t)
	}
}

// Other tasks of the same worker never treat a speculative fold as committed.
func TestABatchAmongOtherTasksOfItsWorker(t *testing.T) {
	for range 10 {
		f := batched(t, 22)
		c := f.worker(nil)
		var all sync.WaitGroup
		for _, every := range []int64{5, 22, 4} {
			all.Go(func() {
				if err := c.Handle(t.Context(), f.far(every), none); err != nil {
					require.ErrorIs(t, err, job.ErrStale)
				}
			})
		}
		for range 30 {
			for _, kind := range []job.Kind{job.Snapshot, job.Save} {
				if err := c.Handle(t.Context(), f.task(kind, 1), none); err != nil {
					require.True(t, errors.Is(err, job.ErrStale), err)
				}
			}
		}
		all.Wait()
		if f.state().Committed < 22 {
			f.do(f.worker(nil), f.far(5))
		}
		f.requireWalked(t)
	}
}
