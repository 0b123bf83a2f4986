// Package compute carries out tasks: it brings the job's replica to the task's
// step, computes, stores the result in the ledger, and finishes the step when
// its result was the one that completed it.
//
// It owns the worker's caches of plans and replicas. The arithmetic is package
// gradient's; taking tasks and acknowledging them is worker/pull's.
//
// Invariant: everything it holds is a cache; a fresh Computer computes the
// same bytes.
package compute

import (
	"context"
	"errors"
	"fmt"

	"github.com/rs/zerolog"

	"tributary/shared/blob"
	"tributary/shared/gradient"
	"tributary/shared/job"
	"tributary/shared/ledger"
	"tributary/shared/lifecycle"
	"tributary/shared/notice"
)

// Announcer announces to coordinators what happened. An announcement may be lost: they
// read the ledger, too.
type Announcer interface {
	PublishCommit(notice.Commit) error
	PublishEvaluated(notice.Evaluated) error
	PublishSnapshotted(notice.Snapshotted) error
	PublishCheckpointed(notice.Checkpointed) error
}

// Listener hears notices about jobs. A notice that it does not hear costs time only.
type Listener interface {
	SubscribeCommits(id job.ID, handle func(notice.Commit)) (stop func(), err error)
	SubscribeRecalls(id job.ID, handle func(notice.Recall)) (stop func(), err error)
}

// Bus carries what workers announce and hear about jobs.
type Bus interface {
	Announcer
	Listener
}

// Computer carries out tasks; it is safe for concurrent use.
type Computer struct {
	// Time, when set before the first task, takes the time of the phases of steps.
	Time Stopwatch
	// Records, when set before the first task, confirms that tasks are of a job and of
	// its plan; otherwise every task is taken at its word.
	Records Records

	ledger   ledger.Worker
	blobs    blob.Store
	announce Announcer
	log      zerolog.Logger
	programs *programs
	scratch  pool
	memory   *account
	reading  int // floats of other nodes' partials that are read at a time
}

// New returns a computer for slots threads of each lane. memory is the
// limit in bytes on cached replicas.
func New(l ledger.Worker, store blob.Store, blocks gradient.Blocks, bus Bus, slots int, memory int64, log zerolog.Logger) *Computer {
	m := new(account)
	c := &Computer{
		ledger:   l,
		blobs:    store,
		announce: bus,
		log:      log,
		memory:   m,
		scratch:  pool{most: 2 * slots, memory: m},
		reading:  gradient.ReduceBytes / 4,
	}
	c.programs = newPrograms(c, blocks, memory, bus)
	return c
}

// Limit bounds the bytes that jobs and tasks may take in all; 0 does not. It is called
// before the first task.
func (c *Computer) Limit(memory int64) { c.memory.limit = memory }

// Close ends listening to jobs. The computer is of no use then.
func (c *Computer) Close() {
	c.programs.close()
	c.scratch.close()
}

// Handle carries out one task. Its errors are classed for worker/pull. A panic is an
// error, poison: the worker and its other tasks go on.
func (c *Computer) Handle(ctx context.Context, t job.Task, h Hold) error {
	p, err := c.programs.begin(ctx, t)
	if err != nil {
		return fmt.Errorf("prepare job %s: %w", t.Ref, err)
	}
	defer c.programs.end(t, p)
	threads := 1
	if t.Kind == job.Gradient {
		threads = p.threads(h.Threads())
	}
	s, err := c.borrow(p, t, threads)
	if err != nil {
		return err
	}
	err = lifecycle.Contain("task "+t.Name(), func() error { return c.do(ctx, p, s, t, h) })
	if broken := (*lifecycle.PanicError)(nil); errors.As(err, &broken) {
		c.log.Error().Err(err).Str("task", t.Name()).Bytes("stack", broken.Stack).Msg("panic")
		c.programs.discard(t, p)
		c.scratch.discard(s)
		return err
	}
	c.scratch.giveBack(s)
	return err
}

// do carries out a task with its program and buffers.
func (c *Computer) do(ctx context.Context, p *program, s *scratch, t job.Task, h Hold) error {
	switch t.Kind {
	case job.Gradient:
		return c.gradient(ctx, p, s, t, h)
	case job.Evaluate:
		return c.evaluate(ctx, p, s, t, h.Progress)
	case job.Snapshot:
		return c.snapshot(ctx, p, t, h.Progress)
	case job.Save:
		return c.checkpoint(ctx, p, t, h.Progress)
	}
	return fmt.Errorf("task kind %q: want gradient, evaluate, snapshot or checkpoint: %w", t.Kind, job.ErrUnsupported)
}

// announced logs an announcement that could not be sent; coordinators read the ledger,
// too.
func (c *Computer) announced(err error) {
	if err != nil {
		c.log.Debug().Err(err).Msg("announce")
	}
}
