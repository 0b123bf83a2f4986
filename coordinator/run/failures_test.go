package run_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"tributary/coordinator/run"
	"tributary/shared/job"
	"tributary/shared/journal"
	"tributary/shared/ledger"
	"tributary/shared/notice"
)

func TestAPoisonTaskIsADeadLetterAndTheRetryGoesOn(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	var broken atomic.Bool
	broken.Store(true)
	w.working = func(task job.Task) error {
		if task.Step == 7 && broken.Load() {
			return fmt.Errorf("read block 0: %w", job.ErrPoison)
		}
		return nil
	}
	letters := make(chan notice.DeadLetter, 16)
	cfg := w.config("a")
	cfg.DeadLetter = func(_ context.Context, l notice.DeadLetter) error { letters <- l; return l.Validate() }
	s := run.New(cfg)
	w.run(s, 1)
	w.submit(line("j", 20))
	require.Equal(t, job.Failed, w.ended("j").State)
	letter := <-letters
	require.Equal(t, "j.r/7/1", letter.Name)
	require.Equal(t, "w", letter.Worker)
	require.Contains(t, letter.Error, "read block 0")
	broken.Store(false)
	require.NoError(t, w.ask(s, job.Retry, "j"))
	w.until("its end", func() bool { return w.records["j"].State == job.Succeeded })
	require.Empty(t, letters)
}

func TestATaskThatWasLostIsADeadLetterToo(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.working = func(task job.Task) error {
		if task.Step == 5 {
			return errDied
		}
		return nil
	}
	letters := make(chan notice.DeadLetter, 16)
	cfg := w.config("a")
	cfg.DeadLetter = func(_ context.Context, l notice.DeadLetter) error {
		letters <- l
		return errors.New("no room") // no effect on the job
	}
	w.run(run.New(cfg), 1)
	w.submit(line("j", 20))
	require.Equal(t, job.Failed, w.ended("j").State)
	letter := <-letters
	require.GreaterOrEqual(t, letter.Lost, 8, "over all publications of it")
	require.Empty(t, letter.Failed)
}

// A worker named sick fails the tasks that w then does.
func TestAWorkerThatFailsWhatOthersDoIsSetAside(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	goOn := make(chan struct{})
	resume := sync.OnceFunc(func() { close(goOn) })
	w.working = func(task job.Task) error {
		if task.Step == 10 {
			<-goOn
		}
		return nil
	}
	asides := make(chan notice.Aside, 16)
	cfg := w.config("a")
	cfg.SetAside = func(a notice.Aside) error { asides <- a; return a.Validate() }
	s := run.New(cfg)
	w.run(s, 2)
	t.Cleanup(resume) // before the wait for the worker
	w.present("sick")
	w.submit(line("j", 20))
	w.reported("progress", func(e notice.Event) bool { return e.Step == 10 })
	for n := range 2 {
		w.fails(s, "sick", n, "bad disk")
	}
	w.until("both to be heard", func() bool {
		notices := 0
		for _, e := range w.events {
			if e.Type == notice.ErrorEvent {
				notices++
			}
		}
		return notices == 2
	})
	resume()
	select {
	case a := <-asides:
		require.Equal(t, notice.Aside{Ref: ref, Worker: "sick", Seconds: 1}, a)
		noted, ok, err := journal.TakeAside(t.Context(), w.ledger, ref, "sick")
		require.NoError(t, err)
		require.True(t, ok, "the coordinator notifies the worker, and the journal confirms it")
		require.Equal(t, a, noted)
	case <-time.After(20 * time.Second):
		require.Fail(t, "it is not set aside")
	}
	require.Equal(t, job.Succeeded, w.ended("j").State)
}

// ref is the job of these tests.
var ref = job.Ref{Job: "j", Run: "r"}

// fails reports that a worker failed the task of step 10, in its journal and in its
// notice.
func (w *world) fails(s *run.Service, worker string, delivery int, cause string) {
	w.t.Helper()
	task := job.Task{Ref: ref, Kind: job.Gradient, Step: 10, Node: 1, Attempt: 1 << 60}
	require.NoError(w.t, journal.New(task, worker, delivery).Fail(w.t.Context(), w.ledger, task, cause, false))
	s.Failed(notice.Failure{Ref: ref, Task: task, Worker: worker, Error: cause})
}

// away is a ledger that cannot be read or written while it is away.
type away struct {
	ledger.Ledger
	gone atomic.Bool
}

func (l *away) State(ctx context.Context, lay ledger.Layout) (ledger.State, error) {
	if l.gone.Load() {
		return ledger.State{}, errors.New("no route to the ledger")
	}
	return l.Ledger.State(ctx, lay)
}

func (l *away) Probe(ctx context.Context, lay ledger.Layout) error {
	if l.gone.Load() {
		return errors.New("no route to the ledger")
	}
	return l.Ledger.Probe(ctx, lay)
}

func TestFailuresDuringALedgerOutageDoNotCount(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	l := &away{Ledger: w.ledger}
	w.ledger = l
	goOn := w.halt(10)
	asides := make(chan notice.Aside, 16)
	cfg := w.config("a")
	cfg.SetAside = func(a notice.Aside) error { asides <- a; return nil }
	s := run.New(cfg)
	w.run(s, 2)
	w.present("far")
	w.submit(line("j", 20))
	w.reported("progress", func(e notice.Event) bool { return e.Step == 10 })
	l.gone.Store(true)
	for n := range 3 {
		w.fails(s, "far", n, "no route")
	}
	w.until("all to be heard", func() bool {
		notices := 0
		for _, e := range w.events {
			if e.Type == notice.ErrorEvent && strings.Contains(e.Message, "no route") {
				notices++
			}
		}
		return notices == 3
	})
	l.gone.Store(false)
	goOn()
	require.Equal(t, job.Succeeded, w.ended("j").State)
	require.Empty(t, asides)
}
