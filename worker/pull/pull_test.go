package pull_test

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/rs/zerolog"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"tributary/shared/job"
	"tributary/shared/queue"
	"tributary/shared/queue/memory"
	"tributary/shared/tree"
	"tributary/worker/pull"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const lease = 3 * time.Second

// fixture runs slots on a queue inside a synctest bubble.
type fixture struct {
	t        *testing.T
	queue    *memory.Queue
	began    time.Time
	cfg      pull.Config
	failures []failure
	given    []job.Task // the tasks that the queue gave up on
	// unsupported holds the tasks that the slots reported as not supported by this
	// program.
	unsupported []job.Task
	stop        context.CancelFunc
	kill        context.CancelFunc
	ended       chan error
}

type failure struct {
	at     time.Duration
	err    string
	poison bool
}

func start(t *testing.T, slots int, handle pull.Handler) *fixture {
	t.Helper()
	f := &fixture{t: t, began: time.Now(), ended: make(chan error, 1)}
	f.queue = memory.New(memory.Config{Lease: lease, Exhausted: func(t job.Task, _ int) { f.given = append(f.given, t) }})
	f.cfg = pull.Config{
		Queue: f.queue, Numerics: "n", Classes: []job.Class{"conv"}, Slots: slots, Handle: handle, Log: zerolog.Nop(),
		Failed: func(_ job.Task, err error, poison bool) {
			f.failures = append(f.failures, failure{time.Since(f.began), err.Error(), poison})
		},
		Unsupported: func(t job.Task, _ error) { f.unsupported = append(f.unsupported, t) },
	}
	f.run(f.cfg)
	return f
}

func (f *fixture) run(cfg pull.Config) {
	soft, stop := context.WithCancel(f.t.Context())
	hard, kill := context.WithCancel(f.t.Context())
	f.stop, f.kill = stop, kill
	go func() { f.ended <- pull.Run(hard, soft, cfg) }()
}

func (f *fixture) publish(tasks ...job.Task) {
	f.t.Helper()
	require.NoError(f.t, f.queue.Publish(f.t.Context(), tasks...))
	synctest.Wait()
}

// finish stops the slots and returns the bytes of tasks that are left.
func (f *fixture) finish() int {
	f.t.Helper()
	f.stop()
	require.NoError(f.t, <-f.ended)
	f.kill()
	left, _ := f.queue.Len()
	return left
}

// pass lets d pass on the bubble's clock.
func pass(d time.Duration) { <-time.After(d) }

func gradient(node tree.Node) job.Task {
	return job.Task{Ref: job.Ref{Job: "j", Run: "r"}, Kind: job.Gradient, Numerics: "n", Node: node}
}

func evaluate(block int) job.Task {
	return job.Task{Ref: job.Ref{Job: "j", Run: "r"}, Kind: job.Evaluate, Numerics: "n", Split: job.Test, Block: block}
}

func TestOutcomesThatEndATask(t *testing.T) {
	for name, c := range map[string]struct {
		outcome error
		want    []failure
	}{
		"ok":       {nil, nil},
		"stale":    {fmt.Errorf("step 3: %w", job.ErrStale), nil},
		"poison":   {fmt.Errorf("no block: %w", job.ErrPoison), []failure{{0, "no block: poison", true}}},
		"corrupt":  {fmt.Errorf("other bytes: %w", job.ErrCorrupt), []failure{{0, "other bytes: corrupt", true}}},
		"invalid":  {fmt.Errorf("no such unit: %w", job.ErrInvalid), []failure{{0, "no such unit: invalid", true}}},
		"not here": {fmt.Errorf("block: %w", errors.Join(job.ErrNotFound, job.ErrPoison)), []failure{{0, "block: not found\npoison", true}}},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var calls int
				f := start(t, 1, func(context.Context, job.Task, *pull.Hold) error { calls++; return c.outcome })
				f.publish(gradient(1))
				pass(time.Minute)
				require.Zero(t, f.finish(), "the task is gone from the queue")
				require.Equal(t, 1, calls)
				require.Equal(t, c.want, f.failures)
			})
		})
	}
}

func TestAnyOtherErrorIsTriedAgainLaterAndLater(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var at []time.Duration
		var f *fixture
		f = start(t, 1, func(context.Context, job.Task, *pull.Hold) error {
			at = append(at, time.Since(f.began))
			if len(at) == 8 {
				return nil
			}
			return errors.New("redis is down")
		})
		f.publish(gradient(1))
		pass(time.Minute)
		require.Zero(t, f.finish())
		ms := time.Millisecond
		require.Equal(t, []time.Duration{0, 50 * ms, 150 * ms, 350 * ms, 750 * ms, 1550 * ms, 3150 * ms, 6350 * ms}, at)
		require.Len(t, f.failures, 7)
		require.Equal(t, failure{50 * ms, "redis is down", false}, f.failures[1])
		require.Empty(t, f.given)
	})
}

// A task that has no room here, or that this program does not support, is handed back.
// This is not a failure. The task never counts as lost: the worker acknowledges it before
// the queue would give it up, and the coordinator that misses it publishes it again.
func TestATaskForAnotherWorkerIsNobodysFailure(t *testing.T) {
	for _, class := range []error{job.ErrUnready, job.ErrUnsupported} {
		t.Run(class.Error(), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var at []time.Duration
				var f *fixture
				able := false
				f = start(t, 1, func(_ context.Context, t job.Task, _ *pull.Hold) error {
					at = append(at, time.Since(f.began))
					if able {
						return nil
					}
					return fmt.Errorf("job %s needs more: %w", t.Job, class)
				})
				f.publish(gradient(1))
				pass(time.Minute)
				synctest.Wait()
				ms := time.Millisecond
				require.Equal(t, []time.Duration{0, 50 * ms, 150 * ms, 350 * ms, 750 * ms, 1550 * ms}, at)
				able = true
				again := gradient(1)
				again.Attempt = 1
				f.publish(again)
				require.Len(t, at, 7)
				require.Zero(t, f.finish())
				require.Empty(t, f.failures)
				require.Empty(t, f.given)
				unsupported := 0
				if class == job.ErrUnsupported { //nolint:errorlint // it is the class itself
					unsupported = 5
				}
				require.Len(t, f.unsupported, unsupported, "each time that it is handed back")
			})
		})
	}
}

func TestPanicIsPoisonAndTheSlotLivesOn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var done []tree.Node
		f := start(t, 1, func(_ context.Context, t job.Task, _ *pull.Hold) error {
			if t.Node == 2 {
				var none []int
				_ = none[t.Step]
			}
			done = append(done, t.Node)
			return nil
		})
		f.publish(gradient(2), gradient(3))
		require.Equal(t, []tree.Node{3}, done)
		require.Len(t, f.failures, 1)
		require.True(t, f.failures[0].poison)
		require.Contains(t, f.failures[0].err, "panic: runtime error: index out of range")
		require.Zero(t, f.finish())
	})
}

func TestSoftStopFinishesWhatIsHeld(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var finished []tree.Node
		f := start(t, 1, func(ctx context.Context, task job.Task, h *pull.Hold) error {
			for range 10 { // longer than a lease
				pass(time.Second)
				h.Progress()
			}
			finished = append(finished, task.Node)
			return ctx.Err()
		})
		f.publish(gradient(2), gradient(3))
		began := time.Now()
		left := f.finish()
		require.Equal(t, 10*time.Second, time.Since(began))
		require.Equal(t, []tree.Node{2}, finished)
		require.Positive(t, left, "the other task was not taken")
		_, ready := f.queue.Len()
		require.Equal(t, 1, ready)
		require.Empty(t, f.failures)
	})
}

func TestHardStopHandsBackAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := start(t, 1, func(ctx context.Context, _ job.Task, _ *pull.Hold) error {
			<-ctx.Done()
			return fmt.Errorf("poisoned by the stop: %w", errors.Join(ctx.Err(), job.ErrPoison))
		})
		f.publish(gradient(1))
		began := time.Now()
		f.kill()
		synctest.Wait()
		f.stop()
		require.NoError(t, <-f.ended)
		synctest.Wait()
		require.Empty(t, f.failures, "a stop is not a failure")

		// Another worker takes it at once, and does not wait for the end of the lease.
		var took time.Duration
		cfg := f.cfg
		cfg.Handle = func(context.Context, job.Task, *pull.Hold) error { took = time.Since(began); return nil }
		f.run(cfg)
		synctest.Wait()
		require.Zero(t, f.finish())
		require.Zero(t, took)
	})
}

func TestAResultThatIsStoredIsAcknowledgedEvenAfterAHardStop(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := start(t, 1, func(ctx context.Context, _ job.Task, _ *pull.Hold) error { <-ctx.Done(); return nil })
		f.publish(gradient(1))
		f.kill()
		require.Zero(t, f.finish())
	})
}

func TestOnlyProgressKeepsTheLease(t *testing.T) {
	for _, c := range []struct {
		progresses bool
		attempts   int32
	}{{true, 1}, {false, 3}} {
		t.Run(fmt.Sprint("progress ", c.progresses), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var attempts atomic.Int32
				f := start(t, 3, func(_ context.Context, _ job.Task, h *pull.Hold) error {
					attempts.Add(1)
					for range 8 {
						pass(time.Second)
						if c.progresses {
							h.Progress()
						}
					}
					return nil
				})
				f.publish(gradient(1))
				pass(30 * time.Second)
				require.Equal(t, c.attempts, attempts.Load(), "one more for each lease of %s that ended", lease)
				require.Zero(t, f.finish())
			})
		})
	}
}

func TestLanesHaveSlotsOfTheirOwn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		release := make(chan struct{})
		running := map[job.Kind]int{}
		most := map[job.Kind]int{}
		turn := make(chan struct{}, 1)
		change := func(k job.Kind, by int) {
			turn <- struct{}{}
			running[k] += by
			most[k] = max(most[k], running[k])
			<-turn
		}
		f := start(t, 2, func(_ context.Context, t job.Task, _ *pull.Hold) error {
			change(t.Kind, 1)
			defer change(t.Kind, -1)
			if t.Kind == job.Evaluate {
				<-release
			}
			return nil
		})
		f.publish(evaluate(0), evaluate(1), evaluate(2))
		require.Equal(t, 2, running[job.Evaluate])
		f.publish(gradient(2), gradient(3))
		require.Positive(t, most[job.Gradient], "a gradient does not stand in line behind evaluations")
		close(release)
		synctest.Wait()
		require.Equal(t, map[job.Kind]int{job.Evaluate: 2, job.Gradient: most[job.Gradient]}, most)
		require.Zero(t, f.finish())
	})
}

func TestTasksOfOtherNumericsAndClassesAreLeftAlone(t *testing.T) {
	for name, c := range map[string]struct {
		change func(*job.Task)
		calls  int
	}{
		"other numerics":     {func(t *job.Task) { t.Numerics = "m" }, 0},
		"a class it has not": {func(t *job.Task) { t.Class = "attention" }, 0},
		"a class it has":     {func(t *job.Task) { t.Class = "conv" }, 1},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var calls int
				f := start(t, 1, func(context.Context, job.Task, *pull.Hold) error { calls++; return nil })
				other := gradient(1)
				c.change(&other)
				f.publish(other)
				require.Equal(t, c.calls == 0, f.finish() > 0, "it is left in the queue")
				require.Equal(t, c.calls, calls)
			})
		})
	}
}

// brokenQueue hands out subscriptions whose first Next fails.
type brokenQueue struct {
	queue.Queue
	first atomic.Bool
}

var errBroken = errors.New("broken")

func (q *brokenQueue) Subscribe(ctx context.Context, c ...queue.Class) (queue.Subscription, error) {
	if q.first.CompareAndSwap(false, true) {
		return nil, errBroken
	}
	return q.Queue.Subscribe(ctx, c...)
}

func TestASlotThatCannotGoOnStopsTheOthers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		err := pull.Run(t.Context(), t.Context(), pull.Config{
			Queue: &brokenQueue{Queue: memory.New(memory.Config{})}, Slots: 3, Log: zerolog.Nop(),
			Handle: func(context.Context, job.Task, *pull.Hold) error { return nil },
			Failed: func(job.Task, error, bool) {},
		})
		require.ErrorIs(t, err, errBroken)
	})
}
