// Package pull takes tasks off the queue while slots are free, and gives each
// back the way its outcome asks for.
//
// It owns slots, leases and the meaning of an error for the queue. What a task
// does is its Handler's. worker/run starts it.
//
// A task holds slots while it computes, not while it waits for others: then a
// slot takes what is next, so that no task waits for a slot behind one that
// waits for it.
//
// Invariant: a delivery is acknowledged only after its Handler has returned,
// which is after the result is stored; a stop is not a failure: what is held
// is finished or handed back.
package pull

import (
	"context"
	"errors"
	"fmt"
	"runtime/debug"
	"time"

	"github.com/rs/zerolog"
	"golang.org/x/sync/errgroup"

	"tributary/shared/job"
	"tributary/shared/queue"
)

// Handler computes a task and stores its result, with what it holds.
type Handler func(ctx context.Context, t job.Task, h *Hold) error

// Config is what the slots work with.
type Config struct {
	Queue    queue.Queue
	Numerics job.Numerics
	Classes  []job.Class // of jobs whose tasks are taken beside those of the base class
	Slots    int         // per lane, at least 1: how much is computed at a time
	Handle   Handler
	Gate     *Gate // may be nil: always open
	// Failed is called for every attempt that failed; poison: trying again is no use.
	Failed func(t job.Task, err error, poison bool)
	// Unsupported, when set, is called for every attempt at a task that this program does not
	// know. That is no failure: another worker may know it.
	Unsupported func(t job.Task, err error)
	// Refused, when set, is called for every attempt whose result a store has refused
	// for now. That is no failure.
	Refused func(t job.Task, err error)
	Log     zerolog.Logger

	refusals *refusals
}

// Delays between attempts at a task that failed, growing with its deliveries.
const (
	firstDelay = 50 * time.Millisecond
	lastDelay  = 5 * time.Second
	// refusedDelay is firstDelay when a store refuses the result: it is full, and asking
	// often only costs it more.
	refusedDelay = 250 * time.Millisecond
	// elsewhereDeliveries is after how many deliveries a task that cannot be done here now is no longer
	// handed back. It is less than the queue allows (8), so that nobody takes the task for lost.
	elsewhereDeliveries = 6
	// ackTimeout bounds what is said to the queue about a finished task.
	ackTimeout = 5 * time.Second
)

// resident is how many tasks a lane may have in hand for each of its slots, those
// included that wait.
const resident = 4

// Run works until stop ends and every slot has finished or handed back what it
// held. When ctx ends, work in progress is handed back instead of finished. A
// slot that cannot go on stops the others and is the error.
func Run(ctx, stop context.Context, cfg Config) error {
	g, stop := errgroup.WithContext(stop)
	cfg.refusals = &refusals{said: map[string]time.Time{}}
	for _, lane := range []queue.Lane{queue.GradientLane, queue.BackgroundLane} {
		classes := []queue.Class{{Lane: lane, Numerics: cfg.Numerics}}
		for _, c := range cfg.Classes {
			classes = append(classes, queue.Class{Lane: lane, Numerics: cfg.Numerics, Job: c})
		}
		s := newSlots(cfg.Slots)
		for range resident * cfg.Slots {
			g.Go(func() error {
				if err := hand(ctx, stop, cfg, classes, s); err != nil {
					return fmt.Errorf("next %s task: %w", lane, err)
				}
				return nil
			})
		}
	}
	return g.Wait()
}

// hand does one task after another, each when there are slots for it.
func hand(ctx, stop context.Context, cfg Config, classes []queue.Class, s *slots) error {
	var sub queue.Subscription
	defer func() {
		if sub != nil {
			sub.Close()
		}
	}()
	for {
		d, h, err := take(stop, cfg, classes, s, &sub)
		if err != nil {
			if stop.Err() != nil {
				return nil
			}
			return err
		}
		outcome := attempt(ctx, cfg, d, h)
		s.give(h.slots)
		settle(ctx, cfg, d, outcome)
	}
}

// take waits for its turn, for a free slot, for a task, and for the slots that the
// task asks for. One hand at a time does so: others wait without a request at the
// queue, where it would take a task that another worker could begin.
func take(stop context.Context, cfg Config, classes []queue.Class, s *slots, sub *queue.Subscription) (queue.Delivery, *Hold, error) {
	if err := s.turn.Acquire(stop, 1); err != nil {
		return nil, nil, err
	}
	defer s.turn.Release(1)
	if err := s.free(stop); err != nil {
		return nil, nil, err
	}
	if *sub == nil {
		var err error
		if *sub, err = cfg.Queue.Subscribe(stop, classes...); err != nil {
			return nil, nil, fmt.Errorf("subscribe: %w", err)
		}
	}
	d, err := next(stop, *sub, cfg.Gate)
	if err != nil {
		return nil, nil, err
	}
	h := &Hold{all: s, slots: s.within(d.Task().Threads), leaving: stop.Done(), lease: d, log: cfg.Log}
	h.renewed.Store(time.Now().UnixNano())
	if err := s.take(stop, h.slots); err != nil {
		return nil, nil, errors.Join(err, d.Nak(0))
	}
	return d, h, nil
}

// attempt runs the handler under the delivery's lease. A panic is the task's
// poison, not the worker's end.
func attempt(ctx context.Context, cfg Config, d queue.Delivery, h *Hold) (err error) {
	defer func() {
		if p := recover(); p != nil {
			cfg.Log.Error().Str("task", d.Task().Name()).Bytes("stack", debug.Stack()).Msgf("panic: %v", p)
			err = fmt.Errorf("panic: %v: %w", p, job.ErrPoison)
		}
	}()
	return cfg.Handle(ctx, d.Task(), h)
}

// settle tells the queue what became of a delivery.
func settle(ctx context.Context, cfg Config, d queue.Delivery, outcome error) {
	task := TaskOf(d.Task(), outcome)
	log := cfg.Log.With().Str("task", task.Name()).Int("delivered", d.Delivered()).Logger()
	var err error
	switch {
	case outcome == nil, errors.Is(outcome, job.ErrStale):
		// The result is stored: say so even while stopping.
		c, cancel := context.WithTimeout(context.WithoutCancel(ctx), ackTimeout)
		defer cancel()
		err = d.Ack(c)
	case ctx.Err() != nil, errors.Is(outcome, job.ErrStopped):
		err = d.Nak(0)
	case elsewhere(outcome) && d.Delivered() >= elsewhereDeliveries:
		log.Debug().Err(outcome).Msg("a task cannot be done here, again and again; the coordinator publishes it anew")
		c, cancel := context.WithTimeout(ctx, ackTimeout)
		defer cancel()
		err = d.Ack(c)
	case elsewhere(outcome):
		log.Debug().Err(outcome).Msg("hand back a task that cannot be done here now")
		if cfg.Unsupported != nil && errors.Is(outcome, job.ErrUnsupported) {
			cfg.Unsupported(task, outcome)
		}
		err = d.Nak(delayed(firstDelay, d))
	case Poisonous(outcome):
		log.Error().Err(outcome).Msg("task cannot succeed")
		cfg.Failed(task, outcome, true)
		err = d.Term(outcome.Error())
	case errors.Is(outcome, job.ErrFull):
		delay := delayed(refusedDelay, d)
		if cfg.refusals.due(outcome) {
			log.Warn().Err(outcome).Dur("again_in", delay).Msg("a store refuses the task's result; the task waits")
		}
		if cfg.Refused != nil {
			cfg.Refused(task, outcome)
		}
		err = d.Nak(delay)
	default:
		delay := delayed(firstDelay, d)
		log.Warn().Err(outcome).Dur("again_in", delay).Msg("task failed")
		cfg.Failed(task, outcome, false)
		err = d.Nak(delay)
	}
	if err != nil {
		// The queue will deliver the task again; its result is there already.
		log.Debug().Err(err).Msg("settle task")
	}
}

// delayed doubles a delay with every delivery of the task, up to lastDelay.
func delayed(first time.Duration, d queue.Delivery) time.Duration {
	return min(lastDelay, first<<min(max(0, d.Delivered()-1), 10))
}

// TaskOf is the task that an attempt at t with that outcome is about: one step of it
// where the outcome names it.
func TaskOf(t job.Task, outcome error) job.Task {
	if part := (*job.TaskError)(nil); errors.As(outcome, &part) {
		return part.Task
	}
	return t
}

// Failure reports whether an attempt with that outcome has failed: it is neither done,
// nor handed back because the worker stops or cannot do it now.
func Failure(ctx context.Context, outcome error) bool {
	return outcome != nil && ctx.Err() == nil && !elsewhere(outcome) && !errors.Is(outcome, job.ErrFull) &&
		!errors.Is(outcome, job.ErrStale) && !errors.Is(outcome, job.ErrStopped)
}

// elsewhere reports whether the task is handed back for another worker, or for later. That
// is nobody's fault.
func elsewhere(err error) bool {
	return errors.Is(err, job.ErrUnready) || errors.Is(err, job.ErrUnsupported)
}

// Poisonous reports whether the task would fail anywhere.
func Poisonous(err error) bool {
	return errors.Is(err, job.ErrPoison) || errors.Is(err, job.ErrCorrupt) || errors.Is(err, job.ErrInvalid)
}
