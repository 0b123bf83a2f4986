package pull

import (
	"context"
	"sync"
	"sync/atomic"
	"time"

	"github.com/rs/zerolog"
	"golang.org/x/sync/semaphore"

	"tributary/shared/queue"
)

// grace is how long a slot that a waiting task has lent may stay free before another task
// is taken for it. Most waits are shorter.
const grace = 10 * time.Millisecond

// slots counts how many threads of tasks one lane may compute with at a time.
type slots struct {
	turn *semaphore.Weighted // held by the goroutine that takes a task
	all  *semaphore.Weighted
	n    int

	freed chan struct{} // signals that slots were given back

	mu   sync.Mutex
	used int       // slots held by tasks, including those that they have lent
	lent int       // slots lent by tasks that wait
	idle time.Time // since when some slot has no task that computes; zero: every slot has one
}

func newSlots(n int) *slots {
	return &slots{
		turn: semaphore.NewWeighted(1), all: semaphore.NewWeighted(int64(n)), n: n,
		freed: make(chan struct{}, 1), idle: time.Now(),
	}
}

// within returns how many slots a task gets that asks for n: at least 1 and at most all.
func (s *slots) within(n int) int { return min(max(1, n), s.n) }

// take waits for n slots and takes them.
func (s *slots) take(ctx context.Context, n int) error {
	if err := s.all.Acquire(ctx, int64(n)); err != nil {
		return err
	}
	s.count(n, 0)
	return nil
}

// give frees n slots.
func (s *slots) give(n int) {
	s.count(-n, 0)
	s.all.Release(int64(n))
}

// lend frees the slots of a task that waits. borrow takes them back.
func (s *slots) lend(n int) {
	s.count(0, n)
	s.all.Release(int64(n))
}

func (s *slots) borrow(ctx context.Context, n int) error {
	if err := s.all.Acquire(ctx, int64(n)); err != nil {
		// The task ends, and give will return slots that it does not hold.
		s.count(-n, -n)
		return err
	}
	s.count(0, -n)
	return nil
}

func (s *slots) count(used, lent int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.used += used
	s.lent += lent
	switch busy := s.used - s.lent; {
	case busy >= s.n:
		s.idle = time.Time{}
	case s.idle.IsZero():
		s.idle = time.Now()
	}
	if used < 0 {
		select {
		case s.freed <- struct{}{}:
		default:
		}
	}
}

// ready reports whether the lane may take another task.
func (s *slots) ready() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.used < s.n || !s.idle.IsZero() && time.Since(s.idle) >= grace
}

// free waits until a slot is free: either no task holds it, or a waiting task has lent it
// for at least the grace period.
func (s *slots) free(ctx context.Context) error {
	tick := time.NewTicker(grace)
	defer tick.Stop()
	for !s.ready() {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-s.freed:
		case <-tick.C:
		}
	}
	return ctx.Err()
}

// Hold is what a worker gives a task while it runs: the lease of its delivery, and slots.
type Hold struct {
	all     *slots
	slots   int // 0 once a borrow has failed
	leaving <-chan struct{}
	lease   queue.Delivery
	renewed atomic.Int64 // Unix nanoseconds
	log     zerolog.Logger
}

// Delivered returns how often the queue has delivered the task's message; 1 is the first
// delivery.
func (h *Hold) Delivered() int { return h.lease.Delivered() }

// Threads returns how many threads the task may use.
func (h *Hold) Threads() int { return h.slots }

// Leaving returns a channel that is closed when the worker must stop. The task then
// finishes the step that it works on, and hands back the rest with job.ErrStopped.
func (h *Hold) Leaving() <-chan struct{} { return h.leaving }

// Progress renews the lease when it is due. A task calls it after each part of its work.
// Any goroutine of the task may call it.
func (h *Hold) Progress() {
	now, last := time.Now().UnixNano(), h.renewed.Load()
	if now-last > int64(h.lease.Lease()/3) && h.renewed.CompareAndSwap(last, now) {
		if err := h.lease.InProgress(); err != nil {
			h.log.Debug().Err(err).Str("task", h.lease.Task().Name()).Msg("renew lease")
		}
	}
}

// Aside lets other tasks use the task's slots while wait runs.
func (h *Hold) Aside(ctx context.Context, wait func() error) error {
	h.all.lend(h.slots)
	err := wait()
	if failed := h.all.borrow(ctx, h.slots); failed != nil {
		h.slots = 0
		return failed
	}
	return err
}
