package broker

import (
	"context"
	"errors"
	"fmt"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"tributary/shared/job"
	"tributary/shared/notice"
	"tributary/shared/readable"
)

// PutDead stores a task that was given up. If two owners of a job store the same task
// within the stream's window, it is stored once. While the stream is missing, PutDead
// retries until ctx ends.
func (c *Conn) PutDead(ctx context.Context, v notice.DeadLetter) error {
	doing := "keep dead letter " + v.Name
	if err := v.Validate(); err != nil {
		return fmt.Errorf("%s: %w", doing, err)
	}
	data, err := readable.JSON(v)
	if err != nil {
		return fmt.Errorf("%s: %w", doing, err)
	}
	m := nats.NewMsg(deadPrefix + string(v.Job))
	m.Data = data
	_, err = await(ctx, func() (*jetstream.PubAck, error) {
		return c.js.PublishMsg(ctx, m, jetstream.WithMsgID(v.Task.MsgID()))
	}, missing, func(err error) {
		c.log.Warn().Err(err).Msg("a dead letter cannot be kept yet")
	})
	return wrap(doing, err)
}

// Forget deletes the events and the dead letters of a job.
func (c *Conn) Forget(ctx context.Context, id job.ID) error {
	doing := fmt.Sprintf("delete the events of job %.80s", string(id))
	if err := id.Validate(); err != nil {
		return wrap(doing, err)
	}
	for name, subject := range map[string]string{EventStream: eventPrefix + string(id), DeadStream: deadPrefix + string(id)} {
		stream, err := c.js.Stream(ctx, name)
		if err == nil {
			err = stream.Purge(ctx, jetstream.WithPurgeSubject(subject))
		}
		if err != nil && !errors.Is(err, jetstream.ErrStreamNotFound) {
			return wrap(doing, err)
		}
	}
	return nil
}
