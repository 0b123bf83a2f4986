package pull_test

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"github.com/rs/zerolog"
	"github.com/stretchr/testify/require"

	"tributary/shared/job"
	"tributary/shared/queue/memory"
	"tributary/worker/pull"
)

func TestAShutGateLetsNothingInAndEverythingOut(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		began := time.Now()
		at := make(chan time.Duration, 8)
		finished := func(want ...time.Duration) {
			for _, w := range want {
				require.Equal(t, w, <-at)
			}
			require.Empty(t, at)
		}
		gate := new(pull.Gate)
		f := &fixture{t: t, began: began, ended: make(chan error, 1), queue: memory.New(memory.Config{Lease: time.Minute})}
		f.cfg = pull.Config{
			Queue: f.queue, Numerics: "n", Slots: 1, Gate: gate, Log: zerolog.Nop(),
			Handle: func(_ context.Context, task job.Task, _ *pull.Hold) error {
				if task.Node == 1 {
					pass(5 * time.Second)
				}
				at <- time.Since(began)
				return nil
			},
			Failed: func(job.Task, error, bool) {},
		}
		f.run(f.cfg)
		f.publish(gradient(1)) // a slot holds it while the gate is shut
		pass(time.Second)
		gate.Shut(10 * time.Second)
		gate.Shut(time.Second) // shorter: nothing new
		require.True(t, gate.IsShut())
		f.publish(gradient(2), evaluate(0)) // the waiting slot of the other lane takes none either
		pass(9 * time.Second)
		finished(5 * time.Second)
		pass(time.Second)
		synctest.Wait()
		require.False(t, gate.IsShut())
		finished(11*time.Second, 11*time.Second)

		gate.Shut(time.Minute)
		require.Zero(t, f.finish(), "a stop does not wait for the gate")
		require.Less(t, time.Since(began), 20*time.Second)
	})
}
