// Package compute carries out tasks. It brings the job's replica to the task's step,
// computes, and stores the result in the ledger. If this result is the last one that the
// step lacks, it also completes the step.
//
// It owns the worker's caches of programs (compiled plans) and replicas. The arithmetic
// belongs to shared/gradient, the order of a gradient task's actions to worker/course.
// worker/run calls it; worker/pull takes and acknowledges the tasks.
//
// Invariant: everything that a Computer holds is a cache. A new Computer computes the
// same bytes.
package compute

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/rs/zerolog"

	"tributary/shared/blob"
	"tributary/shared/gradient"
	"tributary/shared/job"
	"tributary/shared/ledger"
	"tributary/shared/lifecycle"
	"tributary/shared/notice"
)

// Announcer sends announcements to the coordinators. An announcement may be lost: the
// coordinators also read the ledger.
type Announcer interface {
	PublishCommit(notice.Commit) error
	PublishEvaluated(notice.Evaluated) error
	PublishSnapshotted(notice.Snapshotted) error
	PublishCheckpointed(notice.Checkpointed) error
}

// Listener receives notices about jobs. A lost notice costs only time.
type Listener interface {
	SubscribeCommits(id job.ID, handle func(notice.Commit)) (stop func(), err error)
	SubscribeRecalls(id job.ID, handle func(notice.Recall)) (stop func(), err error)
}

// Bus carries the announcements and the notices of workers.
type Bus interface {
	Announcer
	Listener
}

// Computer carries out tasks; it is safe for concurrent use.
type Computer struct {
	// Time, when set before the first task, measures the phases of steps.
	Time Stopwatch
	// Clock, when set before the first task, returns the time by which the norms of
	// gradients are taken now and then. If it is nil, none is taken.
	Clock func() time.Time
	// Records, when set before the first task, confirms that a task belongs to its job
	// and to the job's plan. If it is nil, every task is accepted.
	Records Records

	ledger   ledger.Worker
	blobs    blob.Store
	announce Announcer
	log      zerolog.Logger
	programs *programs
	scratch  pool
	memory   *account
	reading  int // how many float32 values of other nodes' partials are read at a time
}

// New returns a Computer for so many slots of each lane. memory limits the cached
// replicas, in bytes.
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

// Limit bounds the bytes that all jobs and tasks may take; 0 means no bound. The caller
// calls it before the first task.
func (c *Computer) Limit(memory int64) { c.memory.limit = memory }

// Close stops listening to jobs and drops all caches. After that the Computer must not be
// used.
func (c *Computer) Close() {
	c.programs.close()
	c.scratch.close()
}

// Handle carries out one task. worker/pull decides by the class of its error. A panic
// becomes an error of class poison: the worker and its other tasks go on.
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

// announced logs an announcement that could not be sent. The coordinators also read the
// ledger.
func (c *Computer) announced(err error) {
	if err != nil {
		c.log.Debug().Err(err).Msg("announce")
	}
}
