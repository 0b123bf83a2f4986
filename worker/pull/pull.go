// Package pull takes tasks off the queue while slots are free. It acknowledges each task,
// hands it back or terminates it, as the task's outcome requires.
//
// It owns slots, leases and what each error means for the queue. It does not know what a
// task does: that is up to its Handler. worker/run calls it.
//
// A task holds slots while it computes, but not while it waits for other tasks. Meanwhile
// another task uses these slots. So no task waits for a slot that is held by a task which
// waits for it.
//
// Invariant: a delivery is acknowledged only after its Handler has returned, which is
// after the result is stored. A stop is not a failure: each slot then finishes its task
// or hands it back.
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

// Handler carries out a task and stores its result. h is the task's lease and slots.
type Handler func(ctx context.Context, t job.Task, h *Hold) error

// Config is what Run works with.
type Config struct {
	Queue    queue.Queue
	Numerics job.Numerics
	Classes  []job.Class // the job classes to take tasks of, in addition to the base class
	Slots    int         // per lane, at least 1: how many threads of tasks compute at a time
	Handle   Handler
	Gate     *Gate // nil means that the gate is always open
	// Failed is called for every attempt that failed. poison means that another attempt
	// would fail too.
	Failed func(t job.Task, err error, poison bool)
	// Unsupported, when set, is called for every attempt at a task that this program does
	// not support. This is not a failure: another worker may support it.
	Unsupported func(t job.Task, err error)
	// Refused, when set, is called for every attempt whose result a store refused for
	// now. This is not a failure.
	Refused func(t job.Task, err error)
	Log     zerolog.Logger

	refusals *refusals
}

// Delays between attempts at a task that failed. They grow with the number of deliveries.
const (
	firstDelay = 50 * time.Millisecond
	lastDelay  = 5 * time.Second
	// refusedDelay replaces firstDelay when a store refuses the result. The store is
	// full, and frequent attempts only add load.
	refusedDelay = 250 * time.Millisecond
	// handBackLimit is the delivery from which on a task that this worker cannot do
	// now is acknowledged instead of handed back. It is less than the queue's limit of
	// deliveries (8), so that the task does not count as lost.
	handBackLimit = 6
	// ackTimeout bounds the time to acknowledge a finished task.
	ackTimeout = 5 * time.Second
)

// tasksPerSlot is how many tasks a lane may hold for each of its slots, including the
// tasks that wait.
const tasksPerSlot = 4

// Run takes and handles tasks until stop ends and every slot has finished its task or
// handed it back. When ctx ends, the slots hand back their tasks instead of finishing
// them. If one slot fails, Run stops the others and returns its error.
func Run(ctx, stop context.Context, cfg Config) error {
	g, stop := errgroup.WithContext(stop)
	cfg.refusals = &refusals{said: map[string]time.Time{}}
	for _, lane := range []queue.Lane{queue.GradientLane, queue.BackgroundLane} {
		classes := []queue.Class{{Lane: lane, Numerics: cfg.Numerics}}
		for _, c := range cfg.Classes {
			classes = append(classes, queue.Class{Lane: lane, Numerics: cfg.Numerics, Job: c})
		}
		s := newSlots(cfg.Slots)
		for range tasksPerSlot * cfg.Slots {
			g.Go(func() error {
				if err := handleTasks(ctx, stop, cfg, classes, s); err != nil {
					return fmt.Errorf("next %s task: %w", lane, err)
				}
				return nil
			})
		}
	}
	return g.Wait()
}

// handleTasks handles one task after another. Each task waits until enough slots are free
// for it.
func handleTasks(ctx, stop context.Context, cfg Config, classes []queue.Class, s *slots) error {
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
		reportOutcome(ctx, cfg, d, outcome)
	}
}

// take waits for its turn, for a free slot, for a task, and for the slots that the task
// asks for. Only one goroutine of a lane at a time does this. The others wait without a
// request at the queue: such a request would take a task that another worker could begin.
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

// attempt runs the handler under the delivery's lease. A panic makes the task poison; it
// does not end the worker.
func attempt(ctx context.Context, cfg Config, d queue.Delivery, h *Hold) (err error) {
	defer func() {
		if p := recover(); p != nil {
			cfg.Log.Error().Str("task", d.Task().Name()).Bytes("stack", debug.Stack()).Msgf("panic: %v", p)
			err = fmt.Errorf("panic: %v: %w", p, job.ErrPoison)
		}
	}()
	return cfg.Handle(ctx, d.Task(), h)
}

// reportOutcome reports the outcome of a delivery to the queue.
func reportOutcome(ctx context.Context, cfg Config, d queue.Delivery, outcome error) {
	task := TaskOf(d.Task(), outcome)
	log := cfg.Log.With().Str("task", task.Name()).Int("delivered", d.Delivered()).Logger()
	var err error
	switch {
	case outcome == nil, errors.Is(outcome, job.ErrStale):
		// The result is stored: acknowledge the task even when the worker stops.
		c, cancel := context.WithTimeout(context.WithoutCancel(ctx), ackTimeout)
		defer cancel()
		err = d.Ack(c)
	case ctx.Err() != nil, errors.Is(outcome, job.ErrStopped):
		err = d.Nak(0)
	case handedBack(outcome) && d.Delivered() >= handBackLimit:
		log.Debug().Err(outcome).Msg("this worker cannot run the task, and acknowledges it after several deliveries; the coordinator publishes it again")
		c, cancel := context.WithTimeout(ctx, ackTimeout)
		defer cancel()
		err = d.Ack(c)
	case handedBack(outcome):
		log.Debug().Err(outcome).Msg("hand back a task that this worker cannot run now")
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
		// The queue delivers the task again; its result is already stored.
		log.Debug().Err(err).Msg("answer the delivery of a task")
	}
}

// delayed doubles the delay with every delivery of the task, up to lastDelay.
func delayed(first time.Duration, d queue.Delivery) time.Duration {
	return min(lastDelay, first<<min(max(0, d.Delivered()-1), 10))
}

// TaskOf returns the task that an outcome is about: one step of t if the outcome is a
// job.TaskError, and t itself otherwise.
func TaskOf(t job.Task, outcome error) job.Task {
	if failed := (*job.TaskError)(nil); errors.As(outcome, &failed) {
		return failed.Task
	}
	return t
}

// Failure reports whether an attempt with this outcome failed. It did not fail if the
// task is done, if the worker stops, if this worker cannot do the task now, or if a store
// is full.
func Failure(ctx context.Context, outcome error) bool {
	return outcome != nil && ctx.Err() == nil && !handedBack(outcome) && !errors.Is(outcome, job.ErrFull) &&
		!errors.Is(outcome, job.ErrStale) && !errors.Is(outcome, job.ErrStopped)
}

// handedBack reports whether the task is handed back for another worker, or for a later
// attempt. This does not count as a failure.
func handedBack(err error) bool {
	return errors.Is(err, job.ErrUnready) || errors.Is(err, job.ErrUnsupported)
}

// Poisonous reports whether the task would fail on every worker.
func Poisonous(err error) bool {
	return errors.Is(err, job.ErrPoison) || errors.Is(err, job.ErrCorrupt) || errors.Is(err, job.ErrInvalid)
}
