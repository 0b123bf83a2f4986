package broker

import (
	"context"
	"testing"
	"time"

	"github.com/rs/zerolog"
	"github.com/stretchr/testify/require"

	"tributary/shared/broker/embedded"
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
		Restart:   s.Restart,
		Lose:      func() { require.NoError(t, c.js.DeleteStream(t.Context(), TaskStream)) },
		Inject: func(class queue.Class, data []byte) {
			subject, _, err := classNames(class)
			require.NoError(t, err)
			_, err = c.js.Publish(t.Context(), subject, data)
			require.NoError(t, err)
		},
	}
}

// A stream in memory is gone after a restart of the server. Publishers create it again, the
// workers' subscriptions continue, and deliveries from before do no harm.
func TestMemoryTasksAreLostWithTheServerAndTheQueueGoesOn(t *testing.T) {
	cfg := SetupConfig{}
	s, coordinator := open(t, cfg)
	worker := s.connect(t)
	sub, err := worker.Queue(QueueConfig{}).Subscribe(t.Context(), class)
	require.NoError(t, err)
	t.Cleanup(sub.Close)
	publisher := coordinator.Queue(QueueConfig{Recreate: &cfg})
	require.NoError(t, publisher.Publish(t.Context(), task(1), task(2)))
	held := next(t, sub)
	require.EqualValues(t, 1, held.Task().Step)

	s.Restart()
	require.NoError(t, publisher.Publish(t.Context(), task(3)))
	d := next(t, sub)
	require.EqualValues(t, 3, d.Task().Step)
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	if err := held.Ack(ctx); err != nil {
		require.ErrorIs(t, err, job.ErrNotFound)
	}
	require.NoError(t, d.Nak(0))
	again := next(t, sub)
	require.EqualValues(t, 3, again.Task().Step, "the late ack was not taken for an ack of this task")
	require.NoError(t, again.Ack(ctx))
}

// A sweep finds the task of a lost advisory.
func TestExhaustedTasksAreFoundWithoutTheAdvisory(t *testing.T) {
	_, c := open(t, SetupConfig{})
	q := c.Queue(QueueConfig{Lease: time.Minute, MaxDeliver: 2})
	sub, err := q.Subscribe(t.Context(), class)
	require.NoError(t, err)
	t.Cleanup(sub.Close)
	require.NoError(t, q.Publish(t.Context(), task(1)))
	for range 2 {
		require.NoError(t, next(t, sub).Nak(0))
	}
	ctx, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
	defer cancel()
	_, err = sub.Next(ctx)
	require.ErrorIs(t, err, context.DeadlineExceeded)
	require.NoError(t, q.Publish(t.Context(), task(2), task(3)))
	require.NoError(t, next(t, sub).Ack(t.Context()))

	got := make(chan queuetest.Exhausted, 10)
	for range 2 { // also when several processes sweep
		q.sweep(t.Context(), func(t job.Task, n int) { got <- queuetest.Exhausted{Task: t, Deliveries: n} })
	}
	require.Equal(t, queuetest.Exhausted{Task: task(1), Deliveries: 2}, receive(t, got))
	require.Empty(t, got, "neither the leased task nor the waiting one")
	require.EqualValues(t, 3, next(t, sub).Task().Step)
}

// A worker may start before the coordinator has run Setup.
func TestSubscribeBeforeSetup(t *testing.T) {
	c := startServer(t, embeddedDefault).connect(t)
	q := c.Queue(QueueConfig{})
	sub, err := q.Subscribe(t.Context(), class)
	require.NoError(t, err)
	t.Cleanup(sub.Close)
	got := make(chan queue.Delivery, 1)
	go func() {
		d, err := sub.Next(t.Context())
		if err == nil {
			got <- d
		}
		close(got)
	}()
	require.NoError(t, c.Setup(t.Context(), SetupConfig{}))
	require.NoError(t, q.Publish(t.Context(), task(1)))
	require.EqualValues(t, 1, receive(t, got).Task().Step)
}

func TestPublishRefusesWhatIsNoTask(t *testing.T) {
	_, c := open(t, SetupConfig{})
	q := c.Queue(QueueConfig{})
	require.ErrorIs(t, q.Publish(t.Context(), job.Task{Ref: ref, Kind: job.Gradient}), job.ErrInvalid, "no numerics")
	big := task(1)
	big.Plan = job.Digest(make([]byte, maxTaskBytes))
	require.ErrorIs(t, q.Publish(t.Context(), big), job.ErrInvalid)
}

var class = queue.Class{Lane: queue.GradientLane, Numerics: "f1"}

func task(step int64) job.Task {
	return job.Task{Ref: ref, Numerics: class.Numerics, Kind: job.Gradient, Step: step, Node: 1}
}

func next(t *testing.T, s queue.Subscription) queue.Delivery {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	d, err := s.Next(ctx)
	require.NoError(t, err)
	return d
}

func BenchmarkPublishNextAck(b *testing.B) {
	e, err := embedded.Start(embedded.Config{Log: zerolog.Nop()})
	require.NoError(b, err)
	b.Cleanup(func() { _ = e.Close() })
	c, err := Connect(b.Context(), Config{InProcess: e}, zerolog.Nop())
	require.NoError(b, err)
	b.Cleanup(c.Close)
	require.NoError(b, c.Setup(b.Context(), SetupConfig{}))
	q := c.Queue(QueueConfig{})
	sub, err := q.Subscribe(b.Context(), class)
	require.NoError(b, err)
	b.Cleanup(sub.Close)
	for i := int64(0); b.Loop(); i++ {
		require.NoError(b, q.Publish(b.Context(), task(i)))
		d, err := sub.Next(b.Context())
		require.NoError(b, err)
		require.NoError(b, d.Ack(b.Context()))
	}
}
