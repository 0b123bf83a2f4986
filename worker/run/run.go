// Package run runs a worker: the slots that take tasks, the computer that carries them
// out, and the heartbeat that reports the worker to the coordinators.
//
// It owns how these parts are put together and how they stop. The caller opens the
// connections and passes them in. So a worker runs the same way in a process of its own
// (worker/serve) and embedded in another program.
//
// Invariant: a worker has no state that is lost when it dies: everything that it holds is
// a cache.
package run

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync/atomic"
	"time"

	"github.com/rs/zerolog"

	"tributary/shared/blob"
	"tributary/shared/dataset"
	"tributary/shared/job"
	"tributary/shared/journal"
	"tributary/shared/ledger"
	"tributary/shared/lifecycle"
	"tributary/shared/notice"
	"tributary/shared/queue"
	"tributary/worker/compute"
	"tributary/worker/pull"
)

// Bus carries messages between a worker and the coordinators.
type Bus interface {
	compute.Bus
	PublishFailure(notice.Failure) error
	PublishBeat(notice.Beat) error
	// SubscribeCalls calls answer each time a coordinator asks all workers to report,
	// until stop is called.
	SubscribeCalls(answer func()) (stop func(), err error)
	// AnswerFor answers every request that checks whether the worker is alive, until stop
	// is called.
	AnswerFor(worker string) (stop func(), err error)
	// SubscribeAsides calls obey when a coordinator sets a worker aside, until stop is
	// called.
	SubscribeAsides(obey func(notice.Aside)) (stop func(), err error)
}

// Config is what a worker works with.
type Config struct {
	ID       string // unique among the workers
	Host     string
	Version  string
	Slots    int // how many gradient tasks to do at a time, at least 1; as many evaluations run beside them
	Numerics job.Numerics
	Queue    queue.Queue
	Ledger   ledger.Worker
	Blobs    blob.Store
	Bus      Bus
	// Records confirms that a task is what its job's record asks for.
	Records compute.Records
	// BlockBytes and ReplicaBytes limit the caches of dataset blocks and of replicas, in
	// bytes.
	BlockBytes   int64
	ReplicaBytes int64
	// Operations are the operations that this program knows beyond the base set, as
	// package plan lists them.
	Operations []job.Capability
	// Memory is how many bytes jobs and tasks may take. 0 means that it is not known:
	// then the worker refuses nothing.
	Memory int64
	// Taken, when set, is called each second with the bytes that programs and buffers
	// take.
	Taken func(bytes int64)
	// Observe, when set, is called after every attempt at a task.
	Observe func(t job.Task, took time.Duration, err error)
	// Time, when set, measures the phases of steps.
	Time compute.Stopwatch
	Log  zerolog.Logger
}

// beatEvery is the time between heartbeats; fleet.Patience is three of them. callEvery is
// the shortest time between two answers to coordinators' calls.
const (
	beatEvery = time.Second
	callEvery = 200 * time.Millisecond
)

// Run runs a worker. When soft ends, the worker finishes the tasks that it holds and Run
// returns. When hard ends, the worker hands them back instead.
func Run(soft, hard context.Context, cfg Config) error {
	if cfg.Slots < 1 {
		return fmt.Errorf("slots: %d: want at least 1", cfg.Slots)
	}
	w := &worker{cfg: cfg, started: time.Now().UTC(), asides: make(chan notice.Aside, 16)}
	w.computer = compute.New(cfg.Ledger, cfg.Blobs, dataset.NewCache(cfg.Blobs, cfg.BlockBytes), announcer{cfg.Bus, cfg.ID}, cfg.Slots, cfg.ReplicaBytes, cfg.Log)
	w.computer.Time, w.computer.Clock, w.computer.Records = cfg.Time, time.Now, cfg.Records
	w.computer.Limit(cfg.Memory)
	defer w.computer.Close()
	for _, listen := range []func() (func(), error){
		func() (func(), error) { return cfg.Bus.AnswerFor(cfg.ID) },
		func() (func(), error) { return cfg.Bus.SubscribeCalls(w.answerCall) },
		func() (func(), error) { return cfg.Bus.SubscribeAsides(w.receiveAside) },
	} {
		stop, err := listen()
		if err != nil {
			return fmt.Errorf("listen to coordinators: %w", err)
		}
		defer stop() //nolint:revive // a few, at the end
	}
	g := lifecycle.NewGroup(soft, hard)
	g.Background("set aside", w.setAsideUntil)
	g.Background("heartbeat", w.beatUntil)
	g.Work("slots", func(soft, hard context.Context) error {
		defer w.leave()
		return pull.Run(hard, soft, pull.Config{
			Queue: cfg.Queue, Numerics: cfg.Numerics, Classes: job.Classes(cfg.Operations, cfg.Memory), Slots: cfg.Slots,
			Gate: &w.gate, Handle: w.handle, Failed: w.failed, Refused: w.refused, Unsupported: w.unsupported, Log: cfg.Log,
		})
	})
	return g.Wait()
}

type worker struct {
	cfg      Config
	computer *compute.Computer
	started  time.Time
	busy     atomic.Int64
	leaving  atomic.Bool
	answered atomic.Int64      // when the worker last answered a call, Unix milliseconds
	asides   chan notice.Aside // hints to set this worker aside, not confirmed yet
	gate     pull.Gate         // it is shut while the worker is set aside
}

// announcer adds this worker's id to the announcements of commits.
type announcer struct {
	compute.Bus
	worker string
}

// PublishCommit implements compute.Announcer.
func (a announcer) PublishCommit(c notice.Commit) error {
	c.Worker = a.worker
	return a.Bus.PublishCommit(c)
}

func (w *worker) handle(ctx context.Context, t job.Task, h *pull.Hold) error {
	if t.Kind == job.Gradient {
		w.busy.Add(1)
		defer w.busy.Add(-1)
	}
	began := time.Now()
	err := w.attempt(ctx, t, h)
	if w.cfg.Observe != nil {
		w.cfg.Observe(t, time.Since(began), err)
	}
	return err
}

// attempt carries out the task. Meanwhile the job's journal records which worker has the
// task, and afterwards why it failed. The notice that failed publishes is only a hint of
// that. The worker goes on when it cannot write to the journal.
func (w *worker) attempt(ctx context.Context, t job.Task, h *pull.Hold) error {
	a := journal.New(t, w.cfg.ID, h.Delivered())
	w.logUnsent(a.Begin(ctx, w.cfg.Ledger))
	err := w.computer.Handle(ctx, t, h)
	noting, cancel := context.WithTimeout(context.WithoutCancel(ctx), noteTimeout)
	defer cancel()
	full := ctx.Err() == nil && errors.Is(err, job.ErrFull) && t.Kind == job.Save // the blob store is full, and the ledger is not
	switch {
	case full || pull.Failure(ctx, err):
		w.logUnsent(a.Fail(noting, w.cfg.Ledger, pull.TaskOf(t, err), err.Error(), pull.Poisonous(err)))
	case errors.Is(err, job.ErrUnsupported):
		w.logUnsent(a.Leave(noting, w.cfg.Ledger, err.Error()))
	default:
		w.logUnsent(a.End(noting, w.cfg.Ledger))
	}
	return err
}

// noteTimeout bounds the time to write to the journal after a task.
const noteTimeout = 2 * time.Second

func (w *worker) failed(t job.Task, err error, poison bool) {
	w.logUnsent(w.cfg.Bus.PublishFailure(notice.Failure{Ref: t.Ref, Task: t, Worker: w.cfg.ID, Error: notice.Clip(err.Error()), Poison: poison}))
}

// refused reports an attempt that did not fail: a store was full.
func (w *worker) refused(t job.Task, err error) {
	w.logUnsent(w.cfg.Bus.PublishFailure(notice.Failure{Ref: t.Ref, Task: t, Worker: w.cfg.ID, Error: notice.Clip(err.Error()), Full: true}))
}

// unsupported reports a task that this program does not support. Another worker may
// support it.
func (w *worker) unsupported(t job.Task, err error) {
	w.logUnsent(w.cfg.Bus.PublishFailure(notice.Failure{Ref: t.Ref, Task: t, Worker: w.cfg.ID, Error: notice.Clip(err.Error()), Unsupported: true}))
}

// logUnsent logs a message that could not be sent or recorded. Without these messages the
// work is only slower, not wrong.
func (w *worker) logUnsent(err error) {
	if err != nil {
		w.cfg.Log.Debug().Err(err).Msg("notify the coordinators")
	}
}

func (w *worker) beatUntil(ctx context.Context) error {
	tick := time.NewTicker(beatEvery)
	defer tick.Stop()
	for {
		w.beat()
		w.trim()
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
	}
}

// idleBeats is for how many heartbeats the worker keeps buffers that no task fills.
const idleBeats = 30

// trim frees the memory that no task uses.
func (w *worker) trim() {
	taken := w.computer.Trim(idleBeats)
	if w.cfg.Taken != nil {
		w.cfg.Taken(taken)
	}
}

// answerCall sends a heartbeat because a coordinator asked for it, at most once per
// callEvery.
func (w *worker) answerCall() {
	now := time.Now().UnixMilli()
	if last := w.answered.Load(); now-last >= callEvery.Milliseconds() && w.answered.CompareAndSwap(last, now) {
		w.beat()
	}
}

// beat publishes that the worker is alive, or that it leaves.
func (w *worker) beat() {
	w.logUnsent(w.cfg.Bus.PublishBeat(notice.Beat{
		Worker: w.cfg.ID, Host: w.cfg.Host, Version: w.cfg.Version, Numerics: w.cfg.Numerics,
		Slots: w.cfg.Slots, Busy: int(w.busy.Load()), Started: w.started, Leaving: w.leaving.Load(), Aside: w.gate.IsShut(),
		Memory: w.cfg.Memory, Capabilities: append(slices.Clone(w.cfg.Operations), job.MemoryClasses(w.cfg.Memory)...),
	}))
}

// receiveAside queues the hint that this worker must take no tasks for a while.
func (w *worker) receiveAside(a notice.Aside) {
	if a.Worker != w.cfg.ID {
		return
	}
	select {
	case w.asides <- a:
	default: // enough hints are queued
	}
}

// setAsideUntil obeys the hints that the journal of their job confirms, until ctx ends.
func (w *worker) setAsideUntil(ctx context.Context) error {
	for {
		select {
		case <-ctx.Done():
			return nil
		case hint := <-w.asides:
			a, ok, err := journal.TakeAside(ctx, w.cfg.Ledger, hint.Ref, w.cfg.ID)
			if w.logUnsent(err); ok && err == nil {
				w.setAside(a)
			}
		}
	}
}

// setAside stops taking tasks for a while.
func (w *worker) setAside(a notice.Aside) {
	w.cfg.Log.Warn().Dur("for", a.Cooldown()).Msg("set aside: other workers complete the tasks that fail here")
	w.gate.Shut(a.Cooldown())
	w.beat()
}

func (w *worker) leave() {
	w.leaving.Store(true)
	w.beat()
}
