package broker

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"github.com/nats-io/nuid"

	"tributary/shared/job"
	"tributary/shared/notice"
	"tributary/shared/readable"
)

// maxEvents is how many events may wait before progress events are dropped.
const maxEvents = 1024

// Events sends the events of jobs to the stream, in order, from a goroutine of its own.
// Create it with Conn.Events, and Close it at the end.
//
// Invariant: only Droppable events are ever dropped, the oldest first.
type Events struct {
	c    *Conn
	wake chan struct{} // capacity 1: an event is waiting
	done chan struct{} // closed when the goroutine has ended
	stop context.CancelFunc

	mu      sync.Mutex
	waiting []event
	dropped int64
	closed  bool
}

// event is an event with an id. Because of the id, the stream stores an event that was sent
// twice only once.
type event struct {
	notice.Event
	id string
}

// Events returns an Events and starts its goroutine.
func (c *Conn) Events() *Events {
	ctx, stop := context.WithCancel(context.Background())
	e := &Events{c: c, wake: make(chan struct{}, 1), done: make(chan struct{}), stop: stop}
	go e.send(ctx)
	return e
}

// Publish queues an event and returns at once. It gives an event without a time the present
// time. It fails only for an invalid event, and after Close.
func (e *Events) Publish(v notice.Event) error {
	if v.Time.IsZero() {
		v.Time = time.Now().UTC()
	}
	v.Message = notice.Clip(v.Message)
	if err := v.Validate(); err != nil {
		return fmt.Errorf("publish event: %w", err)
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.closed {
		return errors.New("publish event: the events are closed")
	}
	e.waiting = append(e.waiting, event{v, nuid.Next()})
	e.dropOldest()
	e.signal()
	return nil
}

// dropOldest drops the oldest progress events while too many events are waiting. The
// caller holds the lock.
func (e *Events) dropOldest() {
	for len(e.waiting) > maxEvents {
		i := slices.IndexFunc(e.waiting, func(v event) bool { return v.Droppable() })
		if i < 0 {
			return
		}
		e.waiting = slices.Delete(e.waiting, i, i+1)
		e.dropped++
	}
}

func (e *Events) signal() {
	select {
	case e.wake <- struct{}{}:
	default:
	}
}

// Dropped returns the number of events dropped so far.
func (e *Events) Dropped() int64 {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.dropped
}

// Close sends the waiting events and stops. If ctx ends first, the remaining events are
// lost, and the error says how many.
func (e *Events) Close(ctx context.Context) error {
	e.mu.Lock()
	e.closed = true
	e.mu.Unlock()
	e.signal()
	select {
	case <-e.done:
	case <-ctx.Done():
	}
	e.stop()
	<-e.done
	e.mu.Lock()
	defer e.mu.Unlock()
	if n := len(e.waiting); n > 0 {
		return fmt.Errorf("close the events: %d were not sent: %w", n, context.Cause(ctx))
	}
	return nil
}

// send sends the waiting events, one after the other. It returns when ctx ends, or when no
// event is waiting after Close.
func (e *Events) send(ctx context.Context) {
	defer close(e.done)
	pauses, failing, failures := newBackOff(), rateLimited(e.c.log), 0
	for {
		v, ok, closed := e.first()
		switch {
		case !ok && closed:
			return
		case !ok:
			select {
			case <-e.wake:
			case <-ctx.Done():
				return
			}
			continue
		}
		if err := e.sendOne(ctx, v); err != nil && !permanent(err) {
			failures++
			failing.Warn().Err(err).Int("failures", failures).Msg("an event cannot be sent; trying again")
			if pause(ctx, pauses.NextBackOff()) != nil {
				return
			}
			continue
		} else if err != nil {
			e.c.log.Error().Err(err).Str("job", string(v.Job)).Msg("an event cannot be kept")
		}
		pauses.Reset()
		failures = 0
		e.remove(v.id)
	}
}

// permanent reports whether it makes no sense to send an event again after err.
func permanent(err error) bool { return errors.Is(err, job.ErrInvalid) }

// first returns the oldest waiting event. The event keeps waiting until it is sent.
func (e *Events) first() (v event, ok, closed bool) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if len(e.waiting) == 0 {
		return event{}, false, e.closed
	}
	return e.waiting[0], true, e.closed
}

func (e *Events) remove(id string) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.waiting = slices.DeleteFunc(e.waiting, func(v event) bool { return v.id == id })
}

func (e *Events) sendOne(ctx context.Context, v event) error {
	data, err := readable.JSON(v.Event)
	if err != nil {
		return fmt.Errorf("encode event: %w: %w", err, job.ErrInvalid)
	}
	ctx, cancel := context.WithTimeout(ctx, ackTimeout)
	defer cancel()
	m := nats.NewMsg(eventPrefix + string(v.Job))
	m.Data = data
	_, err = e.c.js.PublishMsg(ctx, m, jetstream.WithMsgID(v.id))
	return classify(err)
}
