package memory

import (
	"context"
	"errors"
	"fmt"
	"sync"

	"tributary/shared/queue"
)

var errClosed = errors.New("next task: the subscription is closed")

type subscription struct {
	q       *Queue
	classes []*class // in the order in which take checks them next
	done    chan struct{}
	close   sync.Once
}

// Subscribe implements queue.Queue.
func (q *Queue) Subscribe(ctx context.Context, keys ...queue.Class) (queue.Subscription, error) {
	if err := ctx.Err(); err != nil {
		return nil, fmt.Errorf("subscribe to %v: %w", keys, err)
	}
	q.mu.Lock()
	defer q.mu.Unlock()
	s := &subscription{q: q, done: make(chan struct{})}
	for _, key := range keys {
		s.classes = append(s.classes, q.class(key))
	}
	return s, nil
}

// Taken implements queue.Queue.
func (q *Queue) Taken(ctx context.Context, key queue.Class) (bool, error) {
	if err := ctx.Err(); err != nil {
		return false, err
	}
	q.mu.Lock()
	defer q.mu.Unlock()
	c := q.class(key)
	if len(c.waiters) > 0 {
		return true, nil
	}
	for m := range q.kept {
		if m.class == c && m.leased {
			return true, nil
		}
	}
	return false, nil
}

// Next implements queue.Subscription.
func (s *subscription) Next(ctx context.Context) (queue.Delivery, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	select {
	case <-s.done:
		return nil, errClosed
	default:
	}
	d, wait := s.take()
	if d != nil {
		return d, nil
	}
	var err error
	select {
	case d := <-wait:
		return d, nil
	case <-ctx.Done():
		err = ctx.Err()
	case <-s.done:
		err = errClosed
	}
	s.leave(wait)
	return nil, err
}

// take leases the first ready message; the classes take turns. If there is none, it returns
// a waiter for the next message of any class.
func (s *subscription) take() (*delivery, chan *delivery) {
	s.q.mu.Lock()
	defer s.q.mu.Unlock()
	for range s.classes {
		c := s.classes[0]
		s.classes = append(s.classes[1:], c)
		if len(c.ready) > 0 {
			m := c.ready[0]
			c.ready = c.ready[1:]
			return s.q.lease(m), nil
		}
	}
	w := make(chan *delivery, 1)
	for _, c := range s.classes {
		c.waiters = append(c.waiters, w)
	}
	return nil, w
}

// leave removes a waiter from all lists. If it has got a delivery meanwhile, that goes back
// to the queue.
func (s *subscription) leave(w chan *delivery) {
	s.q.mu.Lock()
	defer s.q.mu.Unlock()
	if s.q.removeWaiter(w) {
		return
	}
	select {
	case d := <-w:
		if m := d.m; d.held() {
			s.q.halt(m)
			m.leased = false
			m.delivered--
			s.q.offer(m, true)
		}
	default:
	}
}

// Close implements queue.Subscription.
func (s *subscription) Close() { s.close.Do(func() { close(s.done) }) }
