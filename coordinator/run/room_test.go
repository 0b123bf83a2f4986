package run_test

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"

	"tributary/coordinator/run"
	"tributary/shared/job"
	"tributary/shared/ledger"
	"tributary/shared/notice"
)

// refusing is a ledger that refuses to store. It also refuses probes, unless only the
// results are too large.
type refusing struct {
	ledger.Ledger
	refuses atomic.Bool
	results atomic.Bool // refuse only results
	refused atomic.Int64
	saw     func() // called when it refuses
}

func (l *refusing) Append(ctx context.Context, lay ledger.Layout, w ledger.LogWrite) (bool, ledger.Chain, error) {
	if l.refuses.Load() {
		l.refused.Add(1)
		l.saw()
		return false, nil, fmt.Errorf("append step %d: redis cannot be written: it is at its maxmemory; OOM: %w", w.Step, job.ErrFull)
	}
	return l.Ledger.Append(ctx, lay, w)
}

func (l *refusing) Probe(ctx context.Context, lay ledger.Layout) error {
	if l.refuses.Load() && !l.results.Load() {
		return fmt.Errorf("probe: redis cannot be written: it is at its maxmemory; OOM: %w", job.ErrFull)
	}
	return l.Ledger.Probe(ctx, lay)
}

// waited returns the wait messages of a job.
func (w *world) waited(id job.ID) (messages []string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, e := range w.events {
		if e.Job == id && e.Type == notice.WaitingEvent {
			messages = append(messages, e.Message)
		}
	}
	return messages
}

// The queue gives a task up after three deliveries. A ledger that refuses writes still
// fails no job: the job waits, says so once, and goes on.
func TestALedgerThatRefusesWritesFailsNobody(t *testing.T) {
	t.Parallel()
	for name, results := range map[string]bool{"all writes": false, "only results": true} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			l := &refusing{Ledger: w.ledger, saw: func() { w.change(func() {}) }}
			l.results.Store(results)
			w.ledger = l
			begin := sync.OnceFunc(func() { l.refuses.Store(true) })
			w.working = func(task job.Task) error {
				if task.Step == 10 {
					begin()
				}
				return nil
			}
			w.coordinate(1)
			w.submit(line("j", 20))
			says := "waiting: Redis cannot be written: it is at its maxmemory; OOM; the job goes on by itself"
			if results {
				says = "waiting: Redis refuses the workers' writes, but accepts those of the coordinator; the job goes on by itself"
			}
			w.reported("that it waits", func(e notice.Event) bool { return e.Type == notice.WaitingEvent && e.Message == says })
			w.until("the record to say so", func() bool { return w.records["j"].Message == says })
			enough := int64(3) // of one task; no more are published while no write succeeds
			if results {
				enough = 12
			}
			w.until("the queue to have given tasks up", func() bool { return l.refused.Load() >= enough })
			l.refuses.Store(false)
			r := w.ended("j")
			require.Equal(t, job.Succeeded, r.State, r.Error)
			require.Empty(t, r.Message)
			require.Equal(t, []string{says}, w.waited("j"), "it is said once")
			for _, e := range w.events {
				require.NotEqual(t, notice.ErrorEvent, e.Type, e.Message)
			}
		})
	}
}

// bounded is a ledger with a limit on its memory.
type bounded struct {
	ledger.Ledger
	limit atomic.Int64
}

func (l *bounded) Room(context.Context) (ledger.Room, error) {
	return ledger.Room{Limit: l.limit.Load()}, nil
}

func TestAJobThatDoesNotFitWaitsForRoom(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	l := &bounded{Ledger: w.ledger}
	l.limit.Store(1000)
	w.ledger = l
	var early atomic.Bool
	w.working = func(task job.Task) error {
		if task.Job == "fat" && l.limit.Load() > 0 {
			early.Store(true)
		}
		return nil
	}
	w.coordinate(1)
	w.submit(line("fat", 200))
	w.reported("that it waits", func(e notice.Event) bool { return e.Job == "fat" && e.Type == notice.WaitingEvent })
	w.submit(line("small", 20))
	require.Equal(t, job.Succeeded, w.ended("small").State)
	r, _, err := w.Get(t.Context(), "fat")
	require.NoError(t, err)
	require.Equal(t, "waiting: the job needs 6.3 KiB of Redis memory; jobs may use 0.8 KiB (80 % of maxmemory, 1.0 KiB);"+
		" the job starts when maxmemory is at least 7.9 KiB", r.Message)
	require.EqualValues(t, 2*8+2*8+32*200, r.LedgerNeed)
	l.limit.Store(0)
	require.Equal(t, job.Succeeded, w.ended("fat").State)
	require.False(t, early.Load(), "it was given to a worker before there was room")
	require.Len(t, w.waited("fat"), 1)
}

func TestALargeJobMakesRoomForASmallOne(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	l := &bounded{Ledger: w.ledger}
	l.limit.Store(20_000)
	w.ledger = l
	reached, goOn := make(chan struct{}), make(chan struct{})
	reach, resume := sync.OnceFunc(func() { close(reached) }), sync.OnceFunc(func() { close(goOn) })
	w.working = func(task job.Task) error {
		if task.Job == "fat" && task.Step == 50 {
			reach()
			<-goOn
		}
		return nil
	}
	w.coordinate(1)
	t.Cleanup(resume) // before the wait for the worker
	w.submit(line("fat", 480))
	<-reached
	w.submit(line("small", 60))
	w.reported("that it waits", func(e notice.Event) bool {
		return e.Job == "fat" && e.Type == notice.WaitingEvent && strings.Contains(e.Message, "1 smaller jobs leave 13.8 KiB")
	})
	resume()
	require.Equal(t, job.Succeeded, w.ended("small").State)
	require.Equal(t, job.Succeeded, w.ended("fat").State)
}

// A ledger with room for few steps of log has its log trimmed more often.
func TestTheLogIsAsLongAsThereIsRoom(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	l := &bounded{Ledger: w.ledger}
	need := int64(2*8 + 2*8 + 32*200)
	l.limit.Store((need/4 + 1) * 5)
	w.ledger = l
	var trimmed atomic.Int64
	w.working = func(task job.Task) error {
		if task.Kind == job.Snapshot {
			trimmed.Add(1)
		}
		return nil
	}
	cfg := w.config("a")
	w.run(run.New(cfg), 1)
	w.submit(line("j", 200))
	require.Equal(t, job.Succeeded, w.ended("j").State)
	require.Positive(t, trimmed.Load(), "without a limit so short a job has no snapshot")
}
