package pull_test

import (
	"context"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"tributary/shared/job"
	"tributary/shared/tree"
	"tributary/worker/pull"
)

// wide returns a gradient task that asks for so many slots.
func wide(node tree.Node, threads int) job.Task {
	t := gradient(node)
	t.Threads = threads
	return t
}

func TestATaskHasTheSlotsItAsksForOrAllThereAre(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		began := map[tree.Node]time.Duration{}
		had := map[tree.Node]int{}
		var f *fixture
		f = start(t, 3, func(_ context.Context, task job.Task, h *pull.Hold) error {
			began[task.Node], had[task.Node] = time.Since(f.began), h.Threads()
			pass(time.Second)
			return nil
		})
		f.publish(wide(2, 2))
		f.publish(wide(3, 9))
		f.publish(gradient(4))
		pass(10 * time.Second)
		require.Zero(t, f.finish())
		require.Equal(t, map[tree.Node]int{2: 2, 3: 3, 4: 1}, had)
		require.Equal(t, map[tree.Node]time.Duration{2: 0, 3: time.Second, 4: 2 * time.Second}, began)
	})
}

func TestATaskThatWaitsLetsOthersCompute(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		commit := make(chan struct{})
		done := make(chan tree.Node, 2)
		f := start(t, 1, func(ctx context.Context, task job.Task, h *pull.Hold) error {
			if task.Node == 2 {
				if err := h.Aside(ctx, func() error { <-commit; return nil }); err != nil {
					return err
				}
			} else {
				close(commit)
			}
			done <- task.Node
			return nil
		})
		f.publish(gradient(2), gradient(3))
		require.Empty(t, done, "most waits are short: no other task is taken yet")
		pass(time.Second)
		require.Equal(t, []tree.Node{3, 2}, []tree.Node{<-done, <-done})
		require.Zero(t, f.finish())
	})
}

func TestTasksThatWaitAreBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var waiting, most atomic.Int32
		f := start(t, 2, func(ctx context.Context, _ job.Task, h *pull.Hold) error {
			return h.Aside(ctx, func() error {
				most.Store(max(most.Load(), waiting.Add(1)))
				defer waiting.Add(-1)
				pass(time.Minute)
				return nil
			})
		})
		for n := range tree.Node(20) {
			f.publish(gradient(n + 1))
		}
		pass(30 * time.Second)
		synctest.Wait()
		require.EqualValues(t, 8, waiting.Load(), "four for each slot")
		pass(10 * time.Minute)
		require.Zero(t, f.finish())
		require.EqualValues(t, 8, most.Load())
	})
}

func TestWhatAStoppingWorkerHandsBackIsTakenByAnother(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := start(t, 1, func(_ context.Context, _ job.Task, h *pull.Hold) error {
			<-h.Leaving()
			return &job.TaskError{Err: job.ErrStopped}
		})
		f.publish(gradient(1))
		require.Positive(t, f.finish())
		require.Empty(t, f.failures, "a stop is not a failure")
		taken := false
		cfg := f.cfg
		cfg.Handle = func(context.Context, job.Task, *pull.Hold) error { taken = true; return nil }
		f.run(cfg)
		synctest.Wait()
		require.True(t, taken)
		require.Zero(t, f.finish())
	})
}

func TestAFailureNamesTheStepItIsAbout(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var named job.Task
		f := start(t, 1, func(_ context.Context, task job.Task, _ *pull.Hold) error {
			return &job.TaskError{Task: task.At(5), Err: job.ErrPoison}
		})
		f.finish()
		cfg := f.cfg
		cfg.Failed = func(task job.Task, _ error, _ bool) { named = task }
		f.run(cfg)
		task := gradient(1)
		task.Steps = 10
		f.publish(task)
		require.EqualValues(t, 5, named.Step)
		require.EqualValues(t, 6, named.End())
		require.Zero(t, f.finish())
	})
}
