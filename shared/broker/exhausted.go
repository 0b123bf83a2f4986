package broker

import (
	"context"
	"encoding/json"
	"errors"
	"strings"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"tributary/shared/job"
)

// advisories is the subject on which the server reports that a message was delivered
// MaxDeliver times. Such a message stays in the stream, and no consumer gets it again.
const advisories = "$JS.EVENT.ADVISORY.CONSUMER.MAX_DELIVERIES." + TaskStream + ".*"

// sweepEvery is how often the process searches for exhausted tasks itself, because an
// advisory may be lost.
const sweepEvery = 30 * time.Second

// sweepMost bounds the messages that one sweep examines, for each consumer.
const sweepMost = 1000

// Exhausted finds every task that was delivered MaxDeliver times and never acknowledged.
// Until ctx ends, it removes each such task from the queue and calls handle with it. If
// several processes call Exhausted, only one of them gets each task.
func (q *Queue) Exhausted(ctx context.Context, handle func(t job.Task, deliveries int)) error {
	notes := make(chan *nats.Msg, 256)
	sub, err := q.c.nc.ChanQueueSubscribe(advisories, "tributary", notes)
	if err != nil {
		return wrap("listen for exhausted tasks", err)
	}
	defer func() { _ = sub.Unsubscribe() }()
	ticker := time.NewTicker(sweepEvery)
	defer ticker.Stop()
	q.sweep(ctx, handle)
	for {
		select {
		case m := <-notes:
			q.exhausted(ctx, m.Data, handle)
		case <-ticker.C:
			q.sweep(ctx, handle)
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// exhausted handles one advisory.
func (q *Queue) exhausted(ctx context.Context, data []byte, handle func(job.Task, int)) {
	var advisory struct {
		Seq        uint64 `json:"stream_seq"`
		Deliveries int    `json:"deliveries"`
	}
	if err := json.Unmarshal(data, &advisory); err != nil || advisory.Seq == 0 {
		q.log.Debug().Err(err).Msg("dropped an advisory that cannot be read")
		return
	}
	ctx, cancel := context.WithTimeout(ctx, ackTimeout)
	defer cancel()
	stream, err := q.c.js.Stream(ctx, TaskStream)
	if err != nil {
		q.log.Debug().Err(err).Msg("cannot read an exhausted task; the next sweep reads it")
		return
	}
	m, err := stream.GetMsg(ctx, advisory.Seq)
	if err == nil {
		q.handOver(ctx, stream, m, advisory.Deliveries, handle)
	}
}

// handOver removes a message from the stream. If no other process has removed it, it calls
// handle with its task.
func (q *Queue) handOver(ctx context.Context, s jetstream.Stream, m *jetstream.RawStreamMsg, deliveries int, handle func(job.Task, int)) {
	if err := s.DeleteMsg(ctx, m.Sequence); err != nil {
		q.log.Debug().Err(err).Uint64("seq", m.Sequence).Msg("another coordinator removed an exhausted task")
		return
	}
	t, err := decodeTask(m.Data)
	if err != nil {
		q.log.Error().Err(err).Msg("removed an exhausted message that is not a task")
		return
	}
	q.c.contain("an exhausted task", func() { handle(t, deliveries) })
}

// sweep searches for exhausted tasks: messages that are still in the stream, although their
// consumer will not deliver them and has not leased them. Such a message is below the
// consumer's ack floor, at the latest when nothing is leased.
func (q *Queue) sweep(ctx context.Context, handle func(job.Task, int)) {
	ctx, cancel := context.WithTimeout(ctx, sweepEvery/2)
	defer cancel()
	stream, err := q.c.js.Stream(ctx, TaskStream)
	if err != nil {
		return // no stream, no tasks
	}
	consumers := stream.ListConsumers(ctx)
	for info := range consumers.Info() {
		q.sweepConsumer(ctx, stream, info, handle)
	}
	if err := consumers.Err(); err != nil && !errors.Is(err, context.DeadlineExceeded) {
		q.log.Debug().Err(err).Msg("cannot search for exhausted tasks")
	}
}

func (q *Queue) sweepConsumer(ctx context.Context, s jetstream.Stream, info *jetstream.ConsumerInfo, handle func(job.Task, int)) {
	if !strings.HasPrefix(info.Config.FilterSubject, taskPrefix) {
		return
	}
	seq := uint64(1)
	for range sweepMost {
		m, err := s.GetMsg(ctx, seq, jetstream.WithGetMsgSubject(info.Config.FilterSubject))
		if err != nil || m.Sequence > info.AckFloor.Stream {
			return // a message of the stream below the floor is exhausted, one above it is not
		}
		q.handOver(ctx, s, m, info.Config.MaxDeliver, handle)
		seq = m.Sequence + 1
	}
}
