package broker

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"github.com/rs/zerolog"

	"tributary/shared/job"
	"tributary/shared/queue"
)

// maxTaskBytes bounds an encoded task.
const maxTaskBytes = 64 << 10

// inFlight is how many publishes may wait for their confirmation at the same time.
const inFlight = 1024

// QueueConfig configures a Queue. A zero field means its default. All processes must use
// the same Lease and MaxDeliver.
type QueueConfig struct {
	Lease      time.Duration // how long a delivery is leased without InProgress; default 3 s
	MaxDeliver int           // deliveries of one publication before the queue gives it up; default 8
	// Recreate, when set, makes the queue create the task stream again when it is missing.
	// A stream in memory is missing after a restart of the server.
	Recreate *SetupConfig
}

// Queue implements queue.Queue on a JetStream work queue.
type Queue struct {
	c   *Conn
	cfg QueueConfig
	log zerolog.Logger
	// failing logs a lasting fault of publishing, with few lines.
	failing zerolog.Logger
}

// Queue returns the task queue. It sends nothing to the server yet.
func (c *Conn) Queue(cfg QueueConfig) *Queue {
	if cfg.Lease <= 0 {
		cfg.Lease = 3 * time.Second
	}
	if cfg.MaxDeliver <= 0 {
		cfg.MaxDeliver = 8
	}
	log := c.log.With().Str("part", "queue").Logger()
	return &Queue{c: c, cfg: cfg, log: log, failing: rateLimited(log)}
}

// Publish implements queue.Queue. While the server is away, or has no task stream, Publish
// retries until ctx ends.
func (q *Queue) Publish(ctx context.Context, tasks ...job.Task) error {
	msgs := make([]*nats.Msg, len(tasks))
	for i, t := range tasks {
		m, err := encodeTask(t)
		if err != nil {
			return fmt.Errorf("publish task %s: %w", t.Name(), err)
		}
		msgs[i] = m
	}
	if err := ctx.Err(); err != nil {
		return fmt.Errorf("publish tasks: %w", err)
	}
	for from := 0; from < len(msgs); from += inFlight {
		batch := msgs[from:min(from+inFlight, len(msgs))]
		if failed, err := q.publish(ctx, batch); err != nil {
			return fmt.Errorf("publish task %s: %w", tasks[from+failed].Name(), err)
		}
	}
	return nil
}

func encodeTask(t job.Task) (*nats.Msg, error) {
	subject, _, err := classNames(queue.ClassOf(t))
	if err != nil {
		return nil, err
	}
	data, err := json.Marshal(t)
	if err != nil {
		return nil, err
	}
	if len(data) > maxTaskBytes {
		return nil, fmt.Errorf("it has %d bytes; at most %d are allowed: %w", len(data), maxTaskBytes, job.ErrInvalid)
	}
	m := nats.NewMsg(subject)
	m.Header.Set(jetstream.MsgIDHeader, t.MsgID())
	m.Data = data
	return m, nil
}

// publish sends msgs until the server has confirmed each of them. It repeats those that are
// not confirmed. It returns the index of the first message that the server refused.
func (q *Queue) publish(ctx context.Context, msgs []*nats.Msg) (failed int, err error) {
	pauses, failures := newBackOff(), 0
	done := 0
	for {
		n, err := q.attempt(ctx, msgs[done:])
		done += n
		if err == nil || ctx.Err() != nil || !retriable(err) {
			return min(done, len(msgs)-1), wrap("send", err)
		}
		if errors.Is(err, jetstream.ErrNoStreamResponse) {
			q.recreate(ctx)
		}
		if failures++; failures > 1 { // creating the stream again fixes the first failure
			q.failing.Warn().Err(err).Int("failures", failures).Msg("tasks cannot be published; trying again")
		}
		if err := pause(ctx, pauses.NextBackOff()); err != nil {
			return done, err
		}
	}
}

// attempt sends msgs once. It does not use the library's retries: they repeat each message
// alone, which would change the order. It returns how many messages, from the first on, are
// confirmed, and the error of the next one.
func (q *Queue) attempt(ctx context.Context, msgs []*nats.Msg) (confirmed int, err error) {
	futures := make([]jetstream.PubAckFuture, 0, len(msgs))
	var sendErr error
	for _, m := range msgs {
		f, err := q.c.js.PublishMsgAsync(m, jetstream.WithRetryAttempts(0))
		if err != nil {
			sendErr = err
			break
		}
		futures = append(futures, f)
	}
	for i, f := range futures {
		select {
		case <-f.Ok():
		case err := <-f.Err():
			return i, err
		case <-ctx.Done():
			return i, ctx.Err()
		}
	}
	return len(futures), sendErr
}

// retriable reports whether a publish that failed with err may succeed when it is repeated.
func retriable(err error) bool {
	var api *jetstream.APIError
	return !errors.As(err, &api) && !errors.Is(err, nats.ErrConnectionClosed) && !errors.Is(err, nats.ErrMaxPayload)
}

// recreate creates the task stream again, if this process has Recreate set.
func (q *Queue) recreate(ctx context.Context) {
	if q.cfg.Recreate == nil {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, ackTimeout)
	defer cancel()
	if err := q.c.ensureTasks(ctx, q.cfg.Recreate.withDefaults()); err != nil {
		q.log.Debug().Err(err).Msg("cannot make the task stream again")
		return
	}
	q.log.Warn().Msg("the task stream was missing; it has been made again")
}
