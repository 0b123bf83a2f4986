// Package run is a worker at work: slots that take tasks, the computer that
// does them, and the heartbeat that tells coordinators of the slots.
//
// It owns how these are put together and how they stop. Connections are made
// by the programs' mains and handed in, so that a worker runs the same in a
// process of its own and embedded in another.
//
// Invariant: a worker has no state that anybody would miss.
package run

import (
	"context"
	"fmt"
	"sync/atomic"
	"time"

	"github.com/rs/zerolog"

	"tributary/shared/blob"
	"tributary/shared/dataset"
	"tributary/shared/job"
	"tributary/shared/ledger"
	"tributary/shared/lifecycle"
	"tributary/shared/notice"
	"tributary/shared/queue"
	"tributary/worker/compute"
	"tributary/worker/pull"
)

// Bus carries what a worker tells coordinators.
type Bus interface {
	compute.Bus
	PublishFailure(notice.Failure) error
	PublishBeat(notice.Beat) error
	// SubscribeCalls has answer called when a coordinator calls the roll,
	// until stop is called.
	SubscribeCalls(answer func()) (stop func(), err error)
	// SubscribeAsides has obey called when a worker is set aside, likewise.
	SubscribeAsides(obey func(notice.Aside)) (stop func(), err error)
}

// Config is what a worker works with.
type Config struct {
	ID       string // unique among the workers
	Host     string
	Version  string
	Slots    int // gradient tasks at a time, at least 1; as many evaluations beside them
	Numerics job.Numerics
	Queue    queue.Queue
	Ledger   ledger.Ledger
	Blobs    blob.Store
	Bus      Bus
	// BlockBytes and ReplicaBytes limit the caches of data and of models.
	BlockBytes   int64
	ReplicaBytes int64
	// Memory is how many bytes jobs and tasks may take; 0: it is not known, and nothing
	// is refused.
	Memory int64
	// Observe, when set, is told of every attempt at a task.
	Observe func(t job.Task, took time.Duration, err error)
	// Time, when set, takes the time of the phases of steps.
	Time compute.Stopwatch
	Log  zerolog.Logger
}

// beatEvery is the rate of heartbeats; fleet.Patience is three of them.
const beatEvery = time.Second

// Run works until soft ends and what is held is finished, or hard ends and it
// is handed back.
func Run(soft, hard context.Context, cfg Config) error {
	if cfg.Slots < 1 {
		return fmt.Errorf("slots: %d: want at least 1", cfg.Slots)
	}
	w := &worker{cfg: cfg, started: time.Now().UTC()}
	w.computer = compute.New(cfg.Ledger, cfg.Blobs, dataset.NewCache(cfg.Blobs, cfg.BlockBytes), announcer{cfg.Bus, cfg.ID}, cfg.Slots, cfg.ReplicaBytes, cfg.Log)
	w.computer.Time = cfg.Time
	w.computer.Limit(cfg.Memory)
	defer w.computer.Close()
	stop, err := cfg.Bus.SubscribeCalls(w.beat)
	if err != nil {
		return fmt.Errorf("listen for roll calls: %w", err)
	}
	defer stop()
	stop, err = cfg.Bus.SubscribeAsides(w.obey)
	if err != nil {
		return fmt.Errorf("listen for being set aside: %w", err)
	}
	defer stop()
	g := lifecycle.NewGroup(soft, hard)
	g.Background("heartbeat", w.beatUntil)
	g.Work("slots", func(soft, hard context.Context) error {
		defer w.leave()
		return pull.Run(hard, soft, pull.Config{
			Queue: cfg.Queue, Numerics: cfg.Numerics, Slots: cfg.Slots,
			Gate: &w.gate, Handle: w.handle, Failed: w.failed, Log: cfg.Log,
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
	gate     pull.Gate // shut while the worker is set aside
}

// announcer says who committed a step.
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
	err := w.computer.Handle(ctx, t, h)
	if w.cfg.Observe != nil {
		w.cfg.Observe(t, time.Since(began), err)
	}
	return err
}

func (w *worker) failed(t job.Task, err error, poison bool) {
	w.said(w.cfg.Bus.PublishFailure(notice.Failure{Ref: t.Ref, Task: t, Worker: w.cfg.ID, Error: notice.Clip(err.Error()), Poison: poison}))
}

// said notes what could not be told; nothing depends on it but speed.
func (w *worker) said(err error) {
	if err != nil {
		w.cfg.Log.Debug().Err(err).Msg("tell coordinators")
	}
}

func (w *worker) beatUntil(ctx context.Context) error {
	tick := time.NewTicker(beatEvery)
	defer tick.Stop()
	for {
		w.beat()
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
	}
}

// beat tells that the worker is alive, or that it leaves.
func (w *worker) beat() {
	w.said(w.cfg.Bus.PublishBeat(notice.Beat{
		Worker: w.cfg.ID, Host: w.cfg.Host, Version: w.cfg.Version, Numerics: w.cfg.Numerics,
		Slots: w.cfg.Slots, Busy: int(w.busy.Load()), Started: w.started, Leaving: w.leaving.Load(), Aside: w.gate.IsShut(),
		Memory: w.cfg.Memory,
	}))
}

// obey takes no tasks for a while, if it is this worker that is meant.
func (w *worker) obey(a notice.Aside) {
	if a.Worker != w.cfg.ID {
		return
	}
	w.cfg.Log.Warn().Dur("for", a.Cooldown()).Msg("set aside: others do what fails here")
	w.gate.Shut(a.Cooldown())
	w.beat()
}

func (w *worker) leave() {
	w.leaving.Store(true)
	w.beat()
}
