package broker

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"tributary/shared/job"
	"tributary/shared/queue"
	"tributary/shared/queue/queuetest"
)

func TestQueueConformance(t *testing.T) {
	queuetest.Run(t, queuetest.Harness{Open: openQueue, Tick: 100 * time.Millisecond, Parallel: true})
}

func openQueue(t *testing.T, o queuetest.Options) queuetest.Fixture {
	cfg := SetupConfig{TaskBytes: int64(o.Bytes), TaskFile: true, Duplicates: o.Duplicates}
	s, c := open(t, cfg)
	q := c.Queue(QueueConfig{Lease: o.Lease, MaxDeliver: o.MaxDeliver, Recreate: &cfg})

	exhausted := make(chan queuetest.Exhausted, 100)
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		_ = q.Exhausted(ctx, func(t job.Task, n int) { exhausted <- queuetest.Exhausted{Task: t, Deliveries: n} })
	}()
	t.Cleanup(func() { cancel(); <-ended })

	return queuetest.Fixture{
		Queue:     q,
		Exhausted: exhausted,
		Restart:   s.restart,
		Lose:      func() { require.NoError(t, c.js.DeleteStream(t.Context(), TaskStream)) },
		Inject: func(class queue.Class, data []byte) {
			subject, _, err := classNames(class)
			require.NoError(t, err)
			_, err = c.js.Publish(t.Context(), subject, data)
			require.NoError(t, err)
		},
	}
}
