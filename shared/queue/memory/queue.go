// Package memory is the task queue inside one process.
//
// It owns leases, redelivery, duplicates and the limit as queue.Queue states
// them, and nothing else: no goroutine, no I/O, only timers, so that it runs
// under testing/synctest. Tests and simulations use it in the place of NATS.
//
// Invariant: a message is in exactly one place: a class's ready list, leased
// with a running timer, delayed with a running timer, or gone.
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

// Config sets the limits; a zero field stands for its default.
type Config struct {
	Lease      time.Duration // how long a delivery is held without InProgress; default 3 s
	MaxDeliver int           // deliveries of one publication before it is given up; default 8
	Bytes      int           // of tasks kept, encoded; default 256 MiB
	Duplicates time.Duration // window in which a MsgID is dropped when seen again; default 5 s
	// Exhausted is told of a task that was delivered MaxDeliver times in vain
	// and has been removed. It may be nil.
	Exhausted func(task job.Task, deliveries int)
}

// Queue implements queue.Queue.
type Queue struct {
	cfg Config

	mu      sync.Mutex
	bytes   int
	classes map[queue.Class]*class
	kept    map[*message]bool // every message that is not gone
	seen    map[string]bool   // MsgIDs within the window
	recent  []sighting        // the same, oldest first
}

type sighting struct {
	id string
	at time.Time
}

// class holds the tasks of one class: ready to be taken, or wanted by waiters.
// Invariant: one of the two lists is empty.
type class struct {
	ready   []*message
	waiters []chan *delivery // each of capacity 1, in line at several classes, handed at most one delivery
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
	turn      int         // counts timers set, so that one that fires late is ignored
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

// forget drops the MsgIDs that have left the window.
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

// offer gives m to the longest waiter, or makes it ready: first in line when
// it has been delivered before. The lock is held.
func (q *Queue) offer(m *message, first bool) {
	c := m.class
	switch {
	case len(c.waiters) > 0:
		w := c.waiters[0]
		q.strike(w)
		w <- q.lease(m)
	case first:
		c.ready = slices.Insert(c.ready, 0, m)
	default:
		c.ready = append(c.ready, m)
	}
}

// strike takes a waiter out of the lines of all classes and reports whether it was in one.
// The lock is held.
func (q *Queue) strike(w chan *delivery) (waited bool) {
	for _, c := range q.classes {
		if i := slices.Index(c.waiters, w); i >= 0 {
			c.waiters, waited = slices.Delete(c.waiters, i, i+1), true
		}
	}
	return waited
}

// lease counts a delivery and starts its lease. The lock is held.
func (q *Queue) lease(m *message) *delivery {
	m.delivered++
	m.leased = true
	q.after(m, q.cfg.Lease)
	return &delivery{q: q, m: m, delivered: m.delivered}
}

// after hands m back after d, unless something happens to it before. The lock
// is held.
func (q *Queue) after(m *message, d time.Duration) {
	q.halt(m)
	turn := m.turn
	m.timer = time.AfterFunc(d, func() { q.expire(m, turn) })
}

// halt stops m's timer. The lock is held.
func (q *Queue) halt(m *message) {
	m.turn++
	if m.timer != nil {
		m.timer.Stop()
		m.timer = nil
	}
}

// expire makes a message whose lease or delay ran out ready again, or gives it
// up when it was delivered often enough.
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

// remove forgets m wherever it is. The lock is held.
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

// Len returns the number of bytes of tasks kept and of tasks ready to be taken.
func (q *Queue) Len() (bytes, ready int) {
	q.mu.Lock()
	defer q.mu.Unlock()
	for _, c := range q.classes {
		ready += len(c.ready)
	}
	return q.bytes, ready
}

// Purge loses every task and every MsgID, as a queue does whose store is gone.
// Deliveries that are held can still be answered, to no effect.
func (q *Queue) Purge() {
	q.mu.Lock()
	defer q.mu.Unlock()
	for m := range q.kept {
		q.remove(m)
	}
	q.seen = make(map[string]bool)
	q.recent = nil
}
