package broker

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"github.com/nats-io/nats.go/micro"

	"tributary/shared/job"
	"tributary/shared/notice"
)

// FollowEvents calls see with each event of a job, in order: first the events that the
// stream has, then each new one, until ctx ends. Only one goroutine calls see. It leaves out
// what is not an event of the job. While the server is away, it waits for it. It fails only
// if it cannot begin.
func (c *Conn) FollowEvents(ctx context.Context, id job.ID, see func(notice.Event)) error {
	doing := fmt.Sprintf("follow the events of job %.80s", string(id))
	if err := id.Validate(); err != nil {
		return wrap(doing, err)
	}
	consumer, err := c.js.OrderedConsumer(ctx, EventStream, jetstream.OrderedConsumerConfig{FilterSubjects: []string{eventPrefix + string(id)}})
	if err != nil {
		return wrap(doing, err)
	}
	consuming, err := consumer.Consume(func(m jetstream.Msg) {
		var e notice.Event
		if json.Unmarshal(m.Data(), &e) != nil || e.Job != id || e.Validate() != nil {
			c.sparse.Debug().Str("subject", m.Subject()).Msg("skipped a message that is not an event of the job")
			return
		}
		c.contain("show an event", func() { see(e) })
	})
	if err != nil {
		return wrap(doing, err)
	}
	<-ctx.Done()
	consuming.Stop()
	<-consuming.Closed()
	return nil
}

// Request sends a request to a micro service and returns its answer. If the service answers
// with an error, Request fails with that error's text.
func (c *Conn) Request(ctx context.Context, subject string, data []byte) ([]byte, error) {
	m, err := c.nc.RequestWithContext(ctx, subject, data)
	if errors.Is(err, nats.ErrNoResponders) {
		return nil, fmt.Errorf("%s: no coordinator answers on this NATS server: start one with: coordinator serve: %w", subject, job.ErrNotFound)
	}
	if err != nil {
		return nil, wrap(subject, err)
	}
	if why := m.Header.Get(micro.ErrorHeader); why != "" {
		return nil, errors.New(why)
	}
	return m.Data, nil
}
