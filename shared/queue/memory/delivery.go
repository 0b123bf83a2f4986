package memory

import (
	"context"
	"fmt"
	"time"

	"tributary/shared/job"
)

// delivery is one attempt at a message. A later attempt may exist: answers of
// an earlier one still count, as they do on NATS, except that it can no longer
// renew or hand back what is not leased to it.
type delivery struct {
	q         *Queue
	m         *message
	delivered int
}

func (d *delivery) Task() job.Task       { return d.m.task }
func (d *delivery) Delivered() int       { return d.delivered }
func (d *delivery) Lease() time.Duration { return d.q.cfg.Lease }

// held reports whether the lease is still this delivery's. The lock is held.
func (d *delivery) held() bool {
	return d.m.leased && d.m.delivered == d.delivered
}

func (d *delivery) InProgress() error {
	d.q.mu.Lock()
	defer d.q.mu.Unlock()
	if d.held() {
		d.q.after(d.m, d.q.cfg.Lease)
	}
	return nil
}

func (d *delivery) Ack(ctx context.Context) error {
	if err := ctx.Err(); err != nil {
		return fmt.Errorf("ack task %s: %w", d.m.task.Name(), err)
	}
	d.q.mu.Lock()
	defer d.q.mu.Unlock()
	d.q.remove(d.m)
	return nil
}

func (d *delivery) Nak(delay time.Duration) error {
	d.q.mu.Lock()
	defer d.q.mu.Unlock()
	if d.held() {
		d.m.leased = false
		d.q.after(d.m, max(delay, 0))
	}
	return nil
}

func (d *delivery) Term(string) error {
	d.q.mu.Lock()
	defer d.q.mu.Unlock()
	d.q.remove(d.m)
	return nil
}
