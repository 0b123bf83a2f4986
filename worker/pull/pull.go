// Package pull takes tasks off the queue, one per free slot, and gives each
// back the way its outcome asks for.
//
// It owns slots, leases and the meaning of an error for the queue. What a task
// does is its Handler's. worker/run starts it.
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

// Handler computes a task and stores its result. progress is to be called when
// part of the work is done: it keeps the lease.
type Handler func(ctx context.Context, t job.Task, progress func()) error

// Config is what the slots work with.
type Config struct {
	Queue    queue.Queue
	Numerics job.Numerics
	Slots    int // per lane, at least 1
	Handle   Handler
	Gate     *Gate // may be nil: always open
	// Failed is told of every attempt that failed; poison: trying again is no use.
	Failed func(t job.Task, err error, poison bool)
	Log    zerolog.Logger
}

// Delays between attempts at a task that failed, growing with its deliveries.
const (
	firstDelay = 50 * time.Millisecond
	lastDelay  = 5 * time.Second
	// ackTimeout bounds what is said to the queue about a finished task.
	ackTimeout = 5 * time.Second
)

// Run works until stop ends and every slot has finished or handed back what it
// held. When ctx ends, work in progress is handed back instead of finished. A
// slot that cannot go on stops the others and is the error.
func Run(ctx, stop context.Context, cfg Config) error {
	g, stop := errgroup.WithContext(stop)
	for _, lane := range []queue.Lane{queue.GradientLane, queue.BackgroundLane} {
		class := queue.Class{Lane: lane, Numerics: cfg.Numerics}
		for range cfg.Slots {
			g.Go(func() error { return slot(ctx, stop, cfg, class) })
		}
	}
	return g.Wait()
}

// slot does one task after another.
func slot(ctx, stop context.Context, cfg Config, class queue.Class) error {
	sub, err := cfg.Queue.Subscribe(stop, class)
	if err != nil {
		if stop.Err() != nil {
			return nil
		}
		return fmt.Errorf("subscribe to %s tasks: %w", class.Lane, err)
	}
	defer sub.Close()
	for {
		d, err := next(stop, sub, cfg.Gate)
		if err != nil {
			if stop.Err() != nil {
				return nil
			}
			return fmt.Errorf("next %s task: %w", class.Lane, err)
		}
		settle(ctx, cfg, d, attempt(ctx, cfg, d))
	}
}

// attempt runs the handler under the delivery's lease. A panic is the task's
// poison, not the worker's end.
func attempt(ctx context.Context, cfg Config, d queue.Delivery) (err error) {
	defer func() {
		if p := recover(); p != nil {
			cfg.Log.Error().Str("task", d.Task().Name()).Bytes("stack", debug.Stack()).Msgf("panic: %v", p)
			err = fmt.Errorf("panic: %v: %w", p, job.ErrPoison)
		}
	}()
	renewed := time.Now()
	return cfg.Handle(ctx, d.Task(), func() {
		if now := time.Now(); now.Sub(renewed) > d.Lease()/3 {
			renewed = now
			if err := d.InProgress(); err != nil {
				cfg.Log.Debug().Err(err).Str("task", d.Task().Name()).Msg("renew lease")
			}
		}
	})
}

// settle tells the queue what became of a delivery.
func settle(ctx context.Context, cfg Config, d queue.Delivery, outcome error) {
	task, log := d.Task(), cfg.Log.With().Str("task", d.Task().Name()).Int("delivered", d.Delivered()).Logger()
	var err error
	switch {
	case outcome == nil, errors.Is(outcome, job.ErrStale):
		// The result is stored: say so even while stopping.
		c, cancel := context.WithTimeout(context.WithoutCancel(ctx), ackTimeout)
		defer cancel()
		err = d.Ack(c)
	case ctx.Err() != nil:
		err = d.Nak(0)
	case poisonous(outcome):
		log.Error().Err(outcome).Msg("task cannot succeed")
		cfg.Failed(task, outcome, true)
		err = d.Term(outcome.Error())
	default:
		delay := min(lastDelay, firstDelay<<min(d.Delivered()-1, 10))
		log.Warn().Err(outcome).Dur("again_in", delay).Msg("task failed")
		cfg.Failed(task, outcome, false)
		err = d.Nak(delay)
	}
	if err != nil {
		// The queue will deliver the task again; its result is there already.
		log.Debug().Err(err).Msg("settle task")
	}
}

// poisonous reports whether the task would fail anywhere.
func poisonous(err error) bool {
	return errors.Is(err, job.ErrPoison) || errors.Is(err, job.ErrCorrupt) || errors.Is(err, job.ErrInvalid)
}
