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
	"fmt"

	"github.com/rs/zerolog"

	"tributary/shared/blob"
	"tributary/shared/gradient"
	"tributary/shared/job"
	"tributary/shared/ledger"
	"tributary/shared/notice"
)

// Announcer tells coordinators what happened. An announcement may be lost:
// they find out by looking.
type Announcer interface {
	PublishCommit(notice.Commit) error
	PublishEvaluated(notice.Evaluated) error
	PublishSnapshotted(notice.Snapshotted) error
	PublishCheckpointed(notice.Checkpointed) error
}

// Listener hears what is told about jobs. What is not heard costs time only.
type Listener interface {
	SubscribeCommits(id job.ID, handle func(notice.Commit)) (stop func(), err error)
	SubscribeRecalls(id job.ID, handle func(notice.Recall)) (stop func(), err error)
}

// Bus carries what workers tell and hear about jobs.
type Bus interface {
	Announcer
	Listener
}

// Computer carries out tasks; it is safe for concurrent use.
type Computer struct {
	ledger   ledger.Ledger
	blobs    blob.Store
	announce Announcer
	log      zerolog.Logger
	programs *programs
	scratch  chan *scratch // free ones
}

// New returns a computer for slots tasks at a time of each lane. memory is the
// limit in bytes on cached replicas.
func New(l ledger.Ledger, store blob.Store, blocks gradient.Blocks, bus Bus, slots int, memory int64, log zerolog.Logger) *Computer {
	return &Computer{
		ledger:   l,
		blobs:    store,
		announce: bus,
		log:      log,
		programs: newPrograms(store, blocks, memory, bus, log),
		scratch:  make(chan *scratch, 2*slots),
	}
}

// Close ends listening to jobs. The computer is of no use then.
func (c *Computer) Close() { c.programs.close() }

// Handle carries out one task. Its errors are classed for worker/pull.
func (c *Computer) Handle(ctx context.Context, t job.Task, h Hold) error {
	p, err := c.programs.get(ctx, t)
	if err != nil {
		return fmt.Errorf("prepare job %s: %w", t.Ref, err)
	}
	s := c.borrow()
	defer c.giveBack(s)
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
	return fmt.Errorf("task kind %q: want gradient, evaluate, snapshot or checkpoint: %w", t.Kind, job.ErrPoison)
}

// scratch is one running task's buffers.
type scratch struct {
	*gradient.Scratch
	results [2][]float32 // partials: the one in hand, and one that is being appended
	other   bool         // the second is in hand
	spare   [][]float32  // for other workers' partials while reducing
}

// result returns a buffer [n] for a partial: another than the last time when that
// is still in use.
func (s *scratch) result(n int, inUse bool) []float32 {
	s.other = s.other != inUse
	b := &s.results[0]
	if s.other {
		b = &s.results[1]
	}
	if cap(*b) < n {
		*b = make([]float32, n)
	}
	return (*b)[:n]
}

func (c *Computer) borrow() *scratch {
	select {
	case s := <-c.scratch:
		return s
	default:
		return &scratch{Scratch: gradient.NewScratch()}
	}
}

func (c *Computer) giveBack(s *scratch) {
	select {
	case c.scratch <- s:
	default:
	}
}

// vector returns a buffer [n] of the spare ones.
func (s *scratch) vector(n int) []float32 {
	if k := len(s.spare) - 1; k >= 0 && cap(s.spare[k]) >= n {
		v := s.spare[k][:n]
		s.spare = s.spare[:k]
		return v
	}
	return make([]float32, n)
}

// free gives a buffer back to the spare ones.
func (s *scratch) free(v []float32) { s.spare = append(s.spare, v) }

// announced notes an announcement that could not be sent; a coordinator finds
// out by looking.
func (c *Computer) announced(err error) {
	if err != nil {
		c.log.Debug().Err(err).Msg("announce")
	}
}
