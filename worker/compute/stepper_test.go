package compute

import (
	"context"
	"errors"
	"sync"
	"testing"
	"testing/synctest"

	"github.com/stretchr/testify/require"

	"tributary/shared/job"
	"tributary/shared/ledger"
	"tributary/shared/ledger/ledgertest"
	"tributary/shared/notice"
	"tributary/shared/tree"
)

// ranged returns a node's task for all steps of the job from step on.
func (f *fixture) ranged(step int64, node tree.Node) job.Task {
	t := f.gradient(step, node)
	t.Steps = steps - step
	return t
}

// together carries out all tasks at the same time, each on its own worker, and returns
// their errors.
func (f *fixture) together(h Hold, tasks ...job.Task) []error {
	errs := make([]error, len(tasks))
	var all sync.WaitGroup
	for i, task := range tasks {
		c := f.worker(nil)
		all.Go(func() { errs[i] = c.Handle(f.t.Context(), task, h) })
	}
	all.Wait()
	return errs
}

func TestOneTaskTakesStepAfterStep(t *testing.T) {
	f := newFixture(t)
	c := f.worker(nil)
	f.do(c, f.ranged(0, tree.Root))
	require.Equal(t, f.reference(), f.roots(0, steps))
	require.Equal(t, []int64{1, 2, 3}, f.notices.commits)
	require.Equal(t, f.parameters(steps), f.folded(c, steps), "the replica is confirmed and at the end")
}

// folded returns the parameters of a worker's replica at a step.
func (f *fixture) folded(c *Computer, step int64) []float32 {
	f.t.Helper()
	p, err := c.programs.get(f.t.Context(), f.gradient(0, tree.Root))
	require.NoError(f.t, err)
	var got []float32
	require.NoError(f.t, p.replica.View(f.t.Context(), f.ledger, step, func(params []float32, chain ledger.Chain) error {
		require.Len(f.t, chain, f.layout().Chunks())
		got = append(got, params...)
		return nil
	}))
	return got
}

// Workers that compute parts of the same steps wait for each other, both with notices of
// commits and without.
func TestTasksOfSeveralStepsWaitForEachOther(t *testing.T) {
	for name, deaf := range map[string]bool{"told": false, "not told": true} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				f := newFixture(t)
				f.notices.deaf = deaf
				require.Equal(t, make([]error, 3), f.together(none, f.ranged(0, 2), f.ranged(0, 6), f.ranged(0, 7)))
				require.Equal(t, f.reference(), f.roots(0, steps))
			})
		})
	}
}

// Two workers that compute the same node, and one that computes all nodes, get the same
// bits.
func TestTasksOfSeveralStepsMayOverlap(t *testing.T) {
	for range 20 {
		synctest.Test(t, func(t *testing.T) {
			f := newFixture(t)
			for _, err := range f.together(none, f.ranged(0, 2), f.ranged(0, 3), f.ranged(0, 2), f.ranged(0, tree.Root), f.ranged(1, 3)) {
				if err != nil {
					require.ErrorIs(t, err, job.ErrStale)
				}
			}
			require.Equal(t, f.reference(), f.roots(0, steps))
		})
	}
}

// One worker may have the same task twice: neither attempt undoes what the other folds.
func TestTheSameTaskTwiceInOneWorker(t *testing.T) {
	for range 20 {
		f := newFixture(t)
		c := f.worker(nil)
		var all sync.WaitGroup
		for range 3 {
			all.Go(func() {
				if err := c.Handle(t.Context(), f.ranged(0, tree.Root), none); err != nil {
					require.ErrorIs(t, err, job.ErrStale)
				}
			})
		}
		all.Wait()
		require.Equal(t, f.reference(), f.roots(0, steps))
		require.Equal(t, f.parameters(steps), f.folded(c, steps))
	}
}

func TestATaskBeginsWhereTheLedgerIs(t *testing.T) {
	f := newFixture(t)
	f.do(f.worker(nil), f.gradient(0, tree.Root), f.gradient(1, tree.Root))
	c := f.worker(nil)
	f.do(c, f.ranged(0, tree.Root))
	require.Equal(t, f.reference(), f.roots(0, steps))
	require.ErrorIs(t, c.Handle(t.Context(), f.ranged(0, tree.Root), none), job.ErrStale, "all is done")
}

func TestATaskThatWaitsInVainEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFixture(t)
		require.NoError(t, f.worker(nil).Handle(t.Context(), f.ranged(0, 2), none))
		require.Zero(t, f.state().Committed)
	})
}

func TestARecalledTaskEndsWithTheStepInHand(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFixture(t)
		task := f.ranged(0, 2)
		task.Attempt = 7
		c := f.worker(nil)
		done := make(chan error)
		go func() { done <- c.Handle(t.Context(), task, none) }()
		synctest.Wait()
		f.recall(notice.Recall{Ref: task.Ref, Before: 7})
		f.recall(notice.Recall{Ref: job.Ref{Job: "j", Run: "other"}, Before: 8})
		synctest.Wait()
		select {
		case err := <-done:
			require.Fail(t, "it was not recalled", err)
		default:
		}
		f.recall(notice.Recall{Ref: task.Ref, Before: 8})
		synctest.Wait()
		require.NoError(t, <-done)
		arrived, err := f.ledger.Arrived(t.Context(), f.layout(), 0)
		require.NoError(t, err)
		require.Equal(t, []tree.Node{2}, arrived)
	})
}

// leaving is the Hold of a worker that must stop.
type leaving struct {
	hold
	now chan struct{}
}

func (l leaving) Leaving() <-chan struct{} { return l.now }

func TestAStopHandsTheRestBackAfterTheStepInHand(t *testing.T) {
	f := newFixture(t)
	l := leaving{now: make(chan struct{})}
	close(l.now)
	require.ErrorIs(t, f.worker(nil).Handle(t.Context(), f.ranged(0, tree.Root), l), job.ErrStopped)
	require.EqualValues(t, 1, f.state().Committed)
}

// For each call of the ledger that fails, before or after it took effect, the next
// attempt goes on, and the error names its step.
func TestATaskOfSeveralStepsFailsAtEveryCall(t *testing.T) {
	for _, after := range []bool{false, true} {
		for k := 1; ; k++ {
			f := newFixture(t)
			l := &ledgertest.Faulty{Next: f.ledger, K: k, After: after}
			c := f.worker(l)
			err := c.Handle(t.Context(), f.ranged(0, tree.Root), none)
			if err == nil {
				require.Greater(t, k, l.Calls)
				require.Equal(t, f.reference(), f.roots(0, steps))
				break
			}
			require.ErrorIs(t, err, ledgertest.ErrInjected)
			var failed *job.TaskError
			require.ErrorAs(t, err, &failed)
			require.LessOrEqual(t, f.state().Committed-failed.Task.Step, int64(1), "after %v, call %d", after, k)
			require.Equal(t, failed.Task.Step+1, failed.Task.End())
			if err := c.Handle(t.Context(), f.ranged(0, tree.Root), none); err != nil {
				require.ErrorIs(t, err, job.ErrStale)
			}
			require.Equal(t, f.reference(), f.roots(0, steps))
			require.Equal(t, f.parameters(steps), f.folded(c, steps))
		}
	}
}

// A snapshot that is requested during a speculative fold contains only committed steps.
func TestSnapshotsOfASpeculativeFold(t *testing.T) {
	f := newFixture(t)
	c := f.worker(nil)
	var all sync.WaitGroup
	all.Go(func() { f.do(c, f.ranged(0, tree.Root)) })
	for range 50 {
		err := c.Handle(t.Context(), f.task(job.Snapshot, 1), none)
		if err != nil {
			require.ErrorIs(t, err, job.ErrStale, "the first step is not committed")
		}
	}
	all.Wait()
	f.do(c, f.task(job.Snapshot, steps))
	require.Equal(t, ledger.State{Committed: steps, Snapshot: steps, Floor: steps}, f.state())
}

func TestATaskEndsWithItsContext(t *testing.T) {
	f := newFixture(t)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	err := f.worker(nil).Handle(ctx, f.ranged(0, 2), none)
	require.True(t, errors.Is(err, context.Canceled), err)
}

// ending cancels a context after a root is appended.
type ending struct {
	ledger.Ledger
	cancel context.CancelFunc
}

func (e ending) Append(ctx context.Context, l ledger.Layout, w ledger.LogWrite) (bool, ledger.Chain, error) {
	defer e.cancel()
	return e.Ledger.Append(ctx, l, w)
}

// A task whose context ends between an append and its confirmation leaves no speculative
// fold behind. Otherwise the worker's next task would wait for it forever.
func TestNoTaskLeavesASpeculativeFold(t *testing.T) {
	f := newFixture(t)
	ctx, cancel := context.WithCancel(t.Context())
	c := f.worker(ending{f.ledger, cancel})
	require.ErrorIs(t, c.Handle(ctx, f.ranged(0, tree.Root), none), context.Canceled)
	p, err := c.programs.get(t.Context(), f.gradient(0, tree.Root))
	require.NoError(t, err)
	require.False(t, p.replica.Speculative(t.Context()))
	f.do(c, f.ranged(1, tree.Root))
	require.Equal(t, f.parameters(steps), f.folded(c, steps))
}
