package pull_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/rs/zerolog"
	"github.com/stretchr/testify/require"

	"tributary/shared/job"
	"tributary/shared/queue/memory"
	"tributary/worker/pull"
)

// A full store is not a failure of the task. The task comes back with growing delays, no
// failure is reported, and each cause is logged every ten seconds.
func TestAFullStoreIsNoFailure(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		full := func(step int64, cause string) error {
			return &job.TaskError{Err: fmt.Errorf("commit step %d: %w: %w", step, errors.New(cause), job.ErrFull)}
		}
		var at, refused []time.Duration
		var log bytes.Buffer
		f := &fixture{t: t, began: time.Now(), ended: make(chan error, 1)}
		f.queue = memory.New(memory.Config{Lease: lease, MaxDeliver: 100})
		f.cfg = pull.Config{
			Queue: f.queue, Numerics: "n", Slots: 1, Log: zerolog.New(&log),
			Handle: func(context.Context, job.Task, *pull.Hold) error {
				at = append(at, time.Since(f.began))
				if len(at) == 12 {
					return nil
				}
				return full(int64(len(at)), "OOM")
			},
			Failed: func(job.Task, error, bool) { require.Fail(t, "it is a failure") },
			Refused: func(_ job.Task, err error) {
				require.ErrorIs(t, err, job.ErrFull)
				refused = append(refused, time.Since(f.began))
			},
		}
		f.run(f.cfg)
		f.publish(gradient(1))
		pass(time.Minute)
		require.Zero(t, f.finish())
		ms := time.Millisecond
		require.Equal(t, []time.Duration{0, 250 * ms, 750 * ms, 1750 * ms, 3750 * ms, 7750 * ms, 12750 * ms, 17750 * ms}, at[:8])
		require.Equal(t, at[:11], refused)
		require.Equal(t, 4, strings.Count(log.String(), "refuses"), log.String()) // at 0, 12.75, 22.75 and 32.75 s
	})
}
