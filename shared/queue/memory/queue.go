// Package memory implements the task queue inside one process.
//
// It owns leases, redelivery, duplicates and the limit, as queue.Queue defines them. It
// starts no goroutine and does no I/O; it uses only timers, so that it runs under
// testing/synctest. Tests and simulations use it in place of NATS.
//
// Invariant: a message is in exactly one place: in the ready list of a class, leased with a
// running timer, delayed with a running timer, or removed.
package memory

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"sync"
	"time"

	"tributary/shared/job"
	"tributary/shared/queue"
)

// Config sets the limits of a queue. A zero field means its default.
type Config struct {
	Lease      time.Duration // how long a delivery is leased without InProgress; default 3 s
	MaxDeliver int           // deliveries of one publication before the queue gives it up; default 8
	Bytes      int           // of all tasks in the queue, encoded; default 256 MiB
	Duplicates time.Duration // window in which a repeated MsgID is dropped; default 5 s
	// Exhausted is called for a task that was delivered MaxDeliver times without success,
	// after the queue has removed it. It may be nil.
	Exhausted func(task job.Task, deliveries int)
}

// Queue implements queue.Queue.
type Queue struct {
	cfg Config

	mu      sync.Mutex
	bytes   int
	classes map[queue.Class]*class
	kept    map[*message]bool // every message that is not removed
	seen    map[string]bool   // MsgIDs within the window
	recent  []sighting        // the same, oldest first
}

type sighting struct {
	id string
	at time.Time
}

// class holds the tasks of one class that are ready, or the waiters for such tasks.
// Invariant: one of the two lists is empty.
type class struct {
	ready   []*message
	waiters []chan *delivery // each has capacity 1, may wait at several classes, and gets at most one delivery
}

// message is one publication of a task.
type message struct {
	task      job.Task
	class     *class
	size      int
	delivered int
	leased    bool
	gone      bool
	timer     *time.Timer // of the lease or the delay; nil while ready
	turn      int         // number of timers set so far; a timer of an earlier turn is ignored
}

// New returns an empty queue.
func New(cfg Config) *Queue {
	if cfg.Lease <= 0 {
		cfg.Lease = 3 * time.Second
	}
	if cfg.MaxDeliver <= 0 {
		cfg.MaxDeliver = 8
	}
	if cfg.Bytes <= 0 {
		cfg.Bytes = 256 << 20
	}
	if cfg.Duplicates <= 0 {
		cfg.Duplicates = 5 * time.Second
	}
	return &Queue{
		cfg:     cfg,
		classes: make(map[queue.Class]*class),
		kept:    make(map[*message]bool),
		seen:    make(map[string]bool),
	}
}

// Publish implements queue.Queue.
func (q *Queue) Publish(ctx context.Context, tasks ...job.Task) error {
	for _, t := range tasks {
		if err := ctx.Err(); err != nil {
			return fmt.Errorf("publish task %s: %w", t.Name(), err)
		}
		if err := q.publish(t); err != nil {
			return fmt.Errorf("publish task %s: %w", t.Name(), err)
		}
	}
	return nil
}

func (q *Queue) publish(t job.Task) error {
	data, err := json.Marshal(t)
	if err != nil {
		return err
	}
	q.mu.Lock()
	defer q.mu.Unlock()
	q.forget(time.Now())
	id := t.MsgID()
	if q.seen[id] {
		return nil
	}
	if q.bytes+len(data) > q.cfg.Bytes {
		return fmt.Errorf("queue holds %d bytes of at most %d: %w", q.bytes, q.cfg.Bytes, job.ErrFull)
	}
	q.seen[id] = true
	q.recent = append(q.recent, sighting{id, time.Now()})
	q.bytes += len(data)
	c := q.class(queue.ClassOf(t))
	m := &message{task: t, class: c, size: len(data)}
	q.kept[m] = true
	q.offer(m, false)
	return nil
}

// forget removes the MsgIDs that are older than the window.
func (q *Queue) forget(now time.Time) {
	n := 0
	for n < len(q.recent) && now.Sub(q.recent[n].at) >= q.cfg.Duplicates {
		delete(q.seen, q.recent[n].id)
		n++
	}
	q.recent = q.recent[n:]
}

func (q *Queue) class(key queue.Class) *class {
	c := q.classes[key]
	if c == nil {
		c = &class{}
		q.classes[key] = c
	}
	return c
}

// offer gives m to the waiter that has waited longest. If there is none, m becomes ready:
// first in the list if first is set, else last. The caller holds the lock.
func (q *Queue) offer(m *message, first bool) {
	c := m.class
	switch {
	case len(c.waiters) > 0:
		w := c.waiters[0]
		q.removeWaiter(w)
		w <- q.lease(m)
	case first:
		c.ready = slices.Insert(c.ready, 0, m)
	default:
		c.ready = append(c.ready, m)
	}
}

// removeWaiter removes a waiter from the lists of all classes, and reports whether it was
// in one. The caller holds the lock.
func (q *Queue) removeWaiter(w chan *delivery) (waited bool) {
	for _, c := range q.classes {
		if i := slices.Index(c.waiters, w); i >= 0 {
			c.waiters, waited = slices.Delete(c.waiters, i, i+1), true
		}
	}
	return waited
}

// lease counts a delivery of m and starts its lease. The caller holds the lock.
func (q *Queue) lease(m *message) *delivery {
	m.delivered++
	m.leased = true
	q.after(m, q.cfg.Lease)
	return &delivery{q: q, m: m, delivered: m.delivered}
}

// after makes m ready again after d, unless something else happens to it before. The caller
// holds the lock.
func (q *Queue) after(m *message, d time.Duration) {
	q.halt(m)
	turn := m.turn
	m.timer = time.AfterFunc(d, func() { q.expire(m, turn) })
}

// halt stops m's timer. The caller holds the lock.
func (q *Queue) halt(m *message) {
	m.turn++
	if m.timer != nil {
		m.timer.Stop()
		m.timer = nil
	}
}

// expire handles the end of a lease or a delay. It makes the message ready again, or gives
// it up after MaxDeliver deliveries.
func (q *Queue) expire(m *message, turn int) {
	q.mu.Lock()
	if m.gone || m.turn != turn {
		q.mu.Unlock()
		return
	}
	m.timer, m.leased = nil, false
	if m.delivered < q.cfg.MaxDeliver {
		q.offer(m, true)
		q.mu.Unlock()
		return
	}
	q.remove(m)
	q.mu.Unlock()
	if q.cfg.Exhausted != nil {
		q.cfg.Exhausted(m.task, m.delivered)
	}
}

// remove removes m from every place. The caller holds the lock.
func (q *Queue) remove(m *message) {
	if m.gone {
		return
	}
	if i := slices.Index(m.class.ready, m); m.timer == nil && i >= 0 {
		m.class.ready = slices.Delete(m.class.ready, i, i+1)
	}
	q.halt(m)
	m.gone, m.leased = true, false
	q.bytes -= m.size
	delete(q.kept, m)
}

// Len returns the bytes of all tasks in the queue, and the number of ready tasks.
func (q *Queue) Len() (bytes, ready int) {
	q.mu.Lock()
	defer q.mu.Unlock()
	for _, c := range q.classes {
		ready += len(c.ready)
	}
	return q.bytes, ready
}

// Purge removes every task and every MsgID, like a queue that has lost its store. Consumers
// may still answer the deliveries that they hold, without effect.
func (q *Queue) Purge() {
	q.mu.Lock()
	defer q.mu.Unlock()
	for m := range q.kept {
		q.remove(m)
	}
	q.seen = make(map[string]bool)
	q.recent = nil
}
