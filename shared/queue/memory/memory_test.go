package memory_test

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"tributary/shared/job"
	"tributary/shared/queue/memory"
	"tributary/shared/queue/queuetest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func open(_ *testing.T, o queuetest.Options) queuetest.Fixture {
	exhausted := make(chan queuetest.Exhausted, 100)
	q := memory.New(memory.Config{
		Lease: o.Lease, MaxDeliver: o.MaxDeliver, Bytes: o.Bytes, Duplicates: o.Duplicates,
		Exhausted: func(t job.Task, n int) { exhausted <- queuetest.Exhausted{Task: t, Deliveries: n} },
	})
	return queuetest.Fixture{Queue: q, Exhausted: exhausted, Lose: q.Purge}
}

func TestConformance(t *testing.T) {
	queuetest.Run(t, queuetest.Harness{Open: open, Wrap: synctest.Test, Tick: time.Second})
}

// The same suite with the real clock, so that the race detector sees real threads.
func TestConformanceInRealTime(t *testing.T) {
	queuetest.Run(t, queuetest.Harness{Open: open, Tick: 10 * time.Millisecond})
}

func TestBytesAreGivenBack(t *testing.T) {
	q := memory.New(memory.Config{})
	ctx := t.Context()
	for i := range 5 {
		require.NoError(t, q.Publish(ctx, job.Task{Ref: job.Ref{Job: "a"}, Kind: job.Gradient, Step: int64(i)}))
	}
	kept, ready := q.Len()
	require.Positive(t, kept)
	require.Equal(t, 5, ready)
	q.Purge()
	kept, ready = q.Len()
	require.Zero(t, kept)
	require.Zero(t, ready)
}
