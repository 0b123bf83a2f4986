package broker

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/cenkalti/backoff/v5"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"tributary/shared/queue"
)

// Limits of a class's consumer.
const (
	maxPulls     = 1 << 14 // slots that may wait at the same time
	maxLeased    = 1 << 17 // tasks that may be leased at the same time
	consumerIdle = 24 * time.Hour
	// rareConsumerIdle is the idle time after which the server deletes a consumer, for all
	// classes except the base class. Those consumers come and go with the workers that
	// serve the class. Tasks stay when their consumer is deleted.
	rareConsumerIdle = time.Hour
	consumerSetup    = 5 * time.Second // timeout for creating a consumer
)

// subscription is the source of tasks of one slot. Only one goroutine calls Next.
type subscription struct {
	q       *Queue
	sources []*source // one for each class; the first is asked first
	pauses  *backoff.ExponentialBackOff

	mu     sync.Mutex
	closed bool
	cancel context.CancelFunc // ends the running Next; nil while none runs
}

// source is the source of the tasks of one class.
type source struct {
	q        *Queue
	subject  string // of the class's tasks
	consumer string
	idle     time.Duration // after which the server deletes the consumer
	ready    bool          // whether the consumer existed at the last check
	pull     *pull         // the inbox; nil until it is needed; only Next uses it while it runs
}

var errClosed = errors.New("next task: the subscription is closed")

// Subscribe implements queue.Queue. It creates the classes' consumers if it can reach the
// server; otherwise Next creates them later.
func (q *Queue) Subscribe(ctx context.Context, classes ...queue.Class) (queue.Subscription, error) {
	s := &subscription{q: q, pauses: newBackOff()}
	for _, class := range classes {
		subject, consumer, err := classNames(class)
		if err != nil {
			return nil, fmt.Errorf("subscribe: %w", err)
		}
		if err := ctx.Err(); err != nil {
			return nil, fmt.Errorf("subscribe to %s: %w", subject, err)
		}
		idle := consumerIdle
		if class.Job != "" {
			idle = rareConsumerIdle
		}
		s.sources = append(s.sources, &source{q: q, subject: subject, consumer: consumer, idle: idle})
	}
	for _, src := range s.sources {
		if q.c.Connected() {
			if err := src.ensure(ctx); err != nil {
				q.log.Debug().Err(err).Str("subject", src.subject).Msg("no consumer yet")
			}
		}
	}
	return s, nil
}

// Taken implements queue.Queue. It returns true when the class's consumer has waiting
// requests, or has delivered tasks that are not acknowledged yet.
func (q *Queue) Taken(ctx context.Context, class queue.Class) (bool, error) {
	_, consumer, err := classNames(class)
	if err != nil {
		return false, err
	}
	c, err := q.c.js.Consumer(ctx, TaskStream, consumer)
	if errors.Is(err, jetstream.ErrConsumerNotFound) || errors.Is(err, jetstream.ErrStreamNotFound) {
		return false, nil
	}
	if err != nil {
		return false, wrap("read the state of consumer "+consumer, err)
	}
	info := c.CachedInfo()
	return info.NumWaiting > 0 || info.NumAckPending > 0, nil
}

// ensure creates the class's consumer if it does not exist.
func (s *source) ensure(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, consumerSetup)
	defer cancel()
	cfg := jetstream.ConsumerConfig{
		Durable:           s.consumer,
		Description:       "Tributary: tasks of one lane and one arithmetic",
		FilterSubject:     s.subject,
		AckPolicy:         jetstream.AckExplicitPolicy,
		AckWait:           s.q.cfg.Lease,
		MaxDeliver:        s.q.cfg.MaxDeliver,
		MaxAckPending:     maxLeased,
		MaxWaiting:        maxPulls,
		InactiveThreshold: s.idle,
	}
	_, err := s.q.c.js.CreateOrUpdateConsumer(ctx, TaskStream, cfg)
	if errors.Is(err, jetstream.ErrStreamNotFound) {
		s.q.recreate(ctx)
	}
	s.ready = err == nil
	return wrap("make consumer "+s.consumer, err)
}

// Next implements queue.Subscription.
func (s *subscription) Next(outer context.Context) (queue.Delivery, error) {
	ctx, cancel := context.WithCancel(outer)
	defer cancel()
	if !s.begin(cancel) {
		return nil, errClosed
	}
	defer s.end()
	for ctx.Err() == nil {
		d, err := s.next(ctx)
		switch {
		case d != nil:
			s.pauses.Reset()
			return d, nil
		case err != nil && ctx.Err() == nil:
			s.q.log.Debug().Err(err).Msg("pulling again")
			_ = pause(ctx, s.pauses.NextBackOff()) // the loop checks ctx
		}
	}
	s.abandon()
	if outer.Err() != nil {
		return nil, outer.Err()
	}
	return nil, errClosed
}

// begin registers the Next that starts here, so that Close can end it.
func (s *subscription) begin(cancel context.CancelFunc) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return false
	}
	s.cancel = cancel
	return true
}

// end is the last call of every Next.
func (s *subscription) end() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.cancel = nil
	if s.closed {
		s.abandon()
	}
}

// next requests one task and waits for it; it returns nil when none comes in time. With
// several classes, it first takes a task that is available at once; the classes take turns.
// Only then does it wait at all consumers: several of them could answer at the same time,
// and bring several tasks.
func (s *subscription) next(ctx context.Context) (queue.Delivery, error) {
	if len(s.sources) == 1 {
		m, err := s.sources[0].message(ctx, (*pull).one)
		return s.q.deliver(m), err
	}
	var well []*source
	var failed error
	for range s.sources {
		src := s.sources[0]
		s.sources = append(s.sources[1:], src)
		m, err := src.message(ctx, (*pull).now)
		switch {
		case m != nil:
			return s.q.deliver(m), nil
		case err != nil: // the other classes need not wait for this one
			failed = err
			s.q.log.Debug().Err(err).Str("subject", src.subject).Msg("cannot pull tasks of this class")
		default:
			well = append(well, src)
		}
	}
	if len(well) == 0 {
		return nil, failed
	}
	if failed != nil { // it is asked again soon: perhaps somebody deleted the consumer
		wait, cancel := context.WithTimeout(ctx, s.pauses.NextBackOff())
		defer cancel()
		m, _ := anyOf(wait, well)
		return s.q.deliver(m), nil
	}
	m, err := anyOf(ctx, well)
	return s.q.deliver(m), err
}

// anyOf waits for a message from any of the sources. It withdraws the requests to the others.
// Messages that these bring at the same moment go back to the queue.
func anyOf(ctx context.Context, sources []*source) (first *nats.Msg, err error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	type result struct {
		m   *nats.Msg
		err error
	}
	results := make(chan result, len(sources))
	for _, src := range sources {
		go func() {
			m, err := src.message(ctx, (*pull).one)
			results <- result{m, err}
		}()
	}
	for range sources {
		r := <-results
		switch {
		case r.m != nil && first == nil:
			first = r.m
		case r.m != nil:
			handBack(r.m)
		case r.err != nil && ctx.Err() == nil:
			err = r.err
		}
		cancel()
	}
	if first != nil {
		return first, nil
	}
	return nil, err
}

// message requests a message from the class's consumer. After an error, it withdraws the
// request.
func (s *source) message(ctx context.Context, ask func(*pull, context.Context) (*nats.Msg, error)) (m *nats.Msg, err error) {
	defer func() {
		if err != nil {
			s.ready = s.ready && ctx.Err() != nil
			s.abandon()
		}
	}()
	if !s.ready {
		if err := s.ensure(ctx); err != nil {
			return nil, err
		}
	}
	if s.pull == nil {
		p, err := newPull(s.q.c.nc, s.consumer)
		if err != nil {
			return nil, err
		}
		s.pull = p
	}
	return ask(s.pull, ctx)
}

// abandon withdraws requests that may still wait at the server. If a task arrives
// nevertheless, it goes back to the queue at once.
func (s *subscription) abandon() {
	for _, src := range s.sources {
		src.abandon()
	}
}

func (s *source) abandon() {
	if s.pull != nil {
		s.pull.abandon()
		s.pull = nil
	}
}

// Close implements queue.Subscription. It may also be called while Next waits.
func (s *subscription) Close() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.closed = true
	if s.cancel != nil {
		s.cancel() // then Next abandons the request
		return
	}
	s.abandon()
}

// deliver returns the delivery for a message. It returns nil when there is no message. If
// the message is not a task, deliver removes it from the queue and returns nil.
func (q *Queue) deliver(m *nats.Msg) queue.Delivery {
	if m == nil {
		return nil
	}
	d, err := newDelivery(q, m)
	if err == nil {
		return d
	}
	q.log.Error().Err(err).Str("subject", m.Subject).Msg("removed a message that is not a task")
	if err := m.Term(); err != nil {
		q.log.Debug().Err(err).Msg("cannot remove the message; the server delivers it again")
	}
	return nil
}
