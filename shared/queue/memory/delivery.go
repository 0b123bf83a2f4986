package memory

import (
	"context"
	"fmt"
	"time"

	"tributary/shared/job"
)

// delivery is one attempt at a message. If the lease has ended, a later attempt may exist.
// Then the earlier attempt can still Ack or Term the message, as on NATS, but it can no
// longer renew the lease or return the message.
type delivery struct {
	q         *Queue
	m         *message
	delivered int
}

func (d *delivery) Task() job.Task       { return d.m.task }
func (d *delivery) Delivered() int       { return d.delivered }
func (d *delivery) Lease() time.Duration { return d.q.cfg.Lease }

// held reports whether this delivery still has the lease. The caller holds the lock.
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
