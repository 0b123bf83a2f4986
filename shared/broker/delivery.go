package broker

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/nats-io/nats.go"

	"tributary/shared/job"
)

// delivery is one attempt at a task. The worker answers it by messages to the reply
// subject.
type delivery struct {
	q         *Queue
	reply     string
	task      job.Task
	delivered int
}

// maxReason bounds the reason of a Term, in bytes.
const maxReason = 256

// newDelivery decodes a message from the task stream.
func newDelivery(q *Queue, m *nats.Msg) (*delivery, error) {
	meta, err := m.Metadata()
	if err != nil {
		return nil, err
	}
	t, err := decodeTask(m.Data)
	if err != nil {
		return nil, err
	}
	return &delivery{q: q, reply: m.Reply, task: t, delivered: int(meta.NumDelivered)}, nil
}

var kindPattern = regexp.MustCompile(`^[a-z][a-z_-]{0,31}$`)

func decodeTask(data []byte) (job.Task, error) {
	var t job.Task
	if len(data) > maxTaskBytes {
		return t, fmt.Errorf("decode task: %d bytes; at most %d are allowed: %w", len(data), maxTaskBytes, job.ErrInvalid)
	}
	if err := json.Unmarshal(data, &t); err != nil {
		return t, fmt.Errorf("decode task: %w: %w", err, job.ErrInvalid)
	}
	if err := t.Job.Validate(); err != nil {
		return t, fmt.Errorf("decode task: job: %w", err)
	}
	// A later version may publish other kinds of tasks. If everything else is valid, leave
	// the task to a worker that knows the kind.
	if !slices.Contains(job.Kinds, t.Kind) && (t.Run == "" || t.Plan == "" || !kindPattern.MatchString(string(t.Kind))) {
		return t, fmt.Errorf("decode task: kind is %.40q; it must be one of %q: %w", string(t.Kind), job.Kinds, job.ErrInvalid)
	}
	if err := t.Class.Validate(); err != nil {
		return t, fmt.Errorf("decode task: %w", err)
	}
	if t.Step < 0 || t.Block < 0 {
		return t, fmt.Errorf("decode task: step is %d and block %d; they must be 0 or more: %w", t.Step, t.Block, job.ErrInvalid)
	}
	if t.Steps < 0 || t.Steps > job.MaxSteps || t.Announce < 0 || t.Announce > job.MaxSteps || t.Threads < 0 || t.Threads > job.MaxThreads {
		return t, fmt.Errorf("decode task: steps is %d, tell %d and threads %d; they must be 0 … %d, and threads 0 … %d: %w",
			t.Steps, t.Announce, t.Threads, job.MaxSteps, job.MaxThreads, job.ErrInvalid)
	}
	return t, nil
}

func (d *delivery) Task() job.Task       { return d.task }
func (d *delivery) Delivered() int       { return d.delivered }
func (d *delivery) Lease() time.Duration { return d.q.cfg.Lease }

func (d *delivery) InProgress() error { return d.say("renew", "+WPI") }

// Ack sends an ack and waits for its confirmation. It repeats the ack when no confirmation
// comes: that is allowed.
func (d *delivery) Ack(ctx context.Context) error {
	var err error
	for range 5 {
		err = d.ack(ctx)
		if err == nil || ctx.Err() != nil || errors.Is(err, nats.ErrNoResponders) {
			break
		}
	}
	switch {
	case err == nil:
		return nil
	case ctx.Err() != nil:
		err = ctx.Err()
	case errors.Is(err, nats.ErrNoResponders):
		err = fmt.Errorf("the queue of the task no longer exists: %w", job.ErrNotFound)
	}
	return fmt.Errorf("ack task %s: %w", d.task.Name(), err)
}

func (d *delivery) ack(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, ackTimeout)
	defer cancel()
	_, err := d.q.c.nc.RequestWithContext(ctx, d.reply, []byte("+ACK"))
	return err
}

func (d *delivery) Nak(delay time.Duration) error {
	if delay <= 0 {
		return d.say("hand back", "-NAK")
	}
	return d.say("hand back", fmt.Sprintf(`-NAK {"delay": %d}`, delay.Nanoseconds()))
}

func (d *delivery) Term(reason string) error {
	reason = strings.Join(strings.Fields(reason), " ")
	return d.say("terminate", "+TERM "+reason[:min(len(reason), maxReason)])
}

func (d *delivery) say(doing, what string) error {
	if err := d.q.c.nc.Publish(d.reply, []byte(what)); err != nil {
		return fmt.Errorf("%s task %s: %w", doing, d.task.Name(), err)
	}
	return nil
}
