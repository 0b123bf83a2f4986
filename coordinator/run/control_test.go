package run_test

import (
	"context"
	"fmt"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"tributary/coordinator/api"
	"tributary/coordinator/run"
	"tributary/shared/job"
	"tributary/shared/ledger"
)

// ask makes a user's request; s removes jobs.
func (w *world) ask(s *run.Service, q job.Request, id string) error {
	a := &api.API{Records: w, Events: w, Jobs: s}
	var err error
	switch q {
	case job.Pause:
		_, err = a.Pause(context.Background(), []byte(id))
	case job.Resume:
		_, err = a.Resume(context.Background(), []byte(id))
	case job.Retry:
		_, err = a.Retry(context.Background(), []byte(id))
	case job.Cancel:
		_, err = a.Cancel(context.Background(), []byte(id))
	case job.Remove:
		_, err = a.Remove(context.Background(), []byte(id))
	}
	return err
}

// reference is the outcome of an undisturbed job of that many steps.
func reference(t *testing.T, steps int) *job.Outcome {
	t.Helper()
	w := newWorld(t)
	w.coordinate(1)
	w.submit(line("ref", steps))
	return w.ended("ref").Outcome
}

// counted counts the attempts at each step in the world.
func (w *world) counted() (attempts *[64]atomic.Int32) {
	attempts = new([64]atomic.Int32)
	before := w.working
	w.working = func(t job.Task) error {
		if t.Kind == job.Gradient {
			attempts[t.Step].Add(1)
		}
		if before != nil {
			return before(t)
		}
		return nil
	}
	return attempts
}

func TestAPausedJobStandsStillAndGoesOnAtTheSameStep(t *testing.T) {
	t.Parallel()
	want := reference(t, 30)
	w := newWorld(t)
	goOn, finish := w.halt(20), w.halt(25)
	attempts := w.counted()
	s := w.service("a")
	w.upTo(20, s)
	require.NoError(t, w.ask(s, job.Pause, "j"))
	w.until("the lease to be free", func() bool { return len(w.leases) == 0 })
	goOn()
	w.until("some checks of the record", func() bool { return len(w.leases) == 0 && w.records["j"].State == job.Paused })
	require.NoError(t, w.ask(s, job.Resume, "j"))
	require.NoError(t, w.ask(s, job.Resume, "j"), "asked twice")
	finish()
	r := w.ended("j")
	require.Equal(t, job.Succeeded, r.State, r.Error)
	require.Equal(t, want.ParametersSHA256, r.Outcome.ParametersSHA256)
	require.Zero(t, r.Resumed, "it had not ended")
	for step := range 20 {
		require.EqualValues(t, 1, attempts[step].Load(), "step %d was not taken again", step)
	}
}

func TestAJobIsPausedWhileItFailsOver(t *testing.T) {
	t.Parallel()
	want := reference(t, 30)
	w := newWorld(t)
	goOn := w.failing(10, fmt.Errorf("bad memory: %w", job.ErrPoison))
	a, b := w.service("a"), w.service("b")
	stop := w.run(a, 1)
	w.submit(line("j", 30))
	// The owner's process stops for longer than its lease, just before it changes the
	// record. Meanwhile the job is paused, and another coordinator starts.
	held, resume := w.paused("a", func(r job.Record) bool { return r.State == job.Failed })
	<-held
	w.usurp("j")
	require.NoError(t, w.ask(b, job.Pause, "j"))
	w.run(b, 1)
	goOn()
	resume()
	stop()
	w.mu.Lock()
	require.Equal(t, job.Paused, w.records["j"].State, "neither fails it nor drives it")
	require.Empty(t, w.records["j"].Error)
	w.mu.Unlock()
	require.NoError(t, w.ask(b, job.Resume, "j"))
	r := w.ended("j")
	require.Equal(t, job.Succeeded, r.State, r.Error)
	require.Equal(t, "b", r.Owner)
	require.Equal(t, want.ParametersSHA256, r.Outcome.ParametersSHA256)
}

func TestAFailedJobGoesOn(t *testing.T) {
	t.Parallel()
	want := reference(t, 30)
	w := newWorld(t)
	var broken, held atomic.Bool
	broken.Store(true)
	held.Store(true)
	w.working = func(task job.Task) error {
		switch {
		case task.Step == 15 && broken.Load():
			return job.ErrPoison
		case task.Step == 15 && held.Load():
			return job.ErrStale // dropped, so that the job does not end
		default:
			return nil
		}
	}
	s := w.service("a")
	w.run(s, 1)
	w.submit(line("j", 30))
	require.Equal(t, job.Failed, w.ended("j").State)
	broken.Store(false)
	require.NoError(t, w.ask(s, job.Retry, "j"))
	require.NoError(t, w.ask(s, job.Retry, "j"), "asked twice")
	held.Store(false)
	w.until("its end", func() bool { return w.records["j"].State == job.Succeeded && w.records["j"].Released })
	r := w.ended("j")
	require.Empty(t, r.Error)
	require.Equal(t, 1, r.Resumed)
	require.Equal(t, want.ParametersSHA256, r.Outcome.ParametersSHA256)
	require.ErrorIs(t, w.ask(s, job.Retry, "j"), job.ErrConflict)
}

func TestACancelBeatsACommitOfTheEnd(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	held, resume := w.paused("a", func(r job.Record) bool { return r.State == job.Succeeded })
	s := w.service("a")
	w.run(s, 1)
	w.submit(line("j", 5))
	<-held
	require.NoError(t, w.ask(s, job.Cancel, "j"))
	resume()
	r := w.ended("j")
	require.Equal(t, job.Cancelled, r.State)
	require.Nil(t, r.Outcome)
}

func TestAPauseBeatsACommitOfTheEnd(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	held, resume := w.paused("a", func(r job.Record) bool { return r.State == job.Succeeded })
	s := w.service("a")
	w.run(s, 1)
	w.submit(line("j", 5))
	<-held
	require.NoError(t, w.ask(s, job.Pause, "j"))
	resume()
	w.until("the lease to be free", func() bool { return len(w.leases) == 0 })
	require.NoError(t, w.ask(s, job.Resume, "j"))
	require.Equal(t, job.Succeeded, w.ended("j").State)
}

// stuck is a ledger whose first deletion waits.
type stuck struct {
	ledger.Ledger
	first    atomic.Bool
	deleting chan struct{}
	goOn     chan struct{}
}

func (l *stuck) Delete(ctx context.Context, lay ledger.Layout) error {
	if l.first.CompareAndSwap(false, true) {
		close(l.deleting)
		<-l.goOn
	}
	return l.Ledger.Delete(ctx, lay)
}

// The first run is cancelled and removed while its owner still releases it. The id is
// used again at once, and then the old owner continues.
func TestAnIDIsUsedAgainWhileItsFirstRunIsStillReleased(t *testing.T) {
	t.Parallel()
	want := reference(t, 30)
	w := newWorld(t)
	slow := &stuck{Ledger: w.ledger, deleting: make(chan struct{}), goOn: make(chan struct{})}
	w.ledger = slow
	goOn := w.halt(10)
	a, b := w.service("a"), w.service("b")
	w.upTo(10, a)
	require.NoError(t, w.ask(a, job.Cancel, "j"))
	<-slow.deleting
	require.NoError(t, w.ask(b, job.Remove, "j"))
	w.usurp("j") // the owner is away for longer than its lease
	w.mu.Lock()
	require.NotContains(t, w.records, job.ID("j"))
	w.mu.Unlock()
	goOn()
	w.submitRun(line("j", 30), "second")
	w.run(b, 1)
	w.until("the second run to be taken", func() bool { return w.records["j"].Owner != "" })
	close(slow.goOn)
	r := w.ended("j")
	require.Equal(t, job.Succeeded, r.State, r.Error)
	require.EqualValues(t, "second", r.Run)
	require.Equal(t, want.ParametersSHA256, r.Outcome.ParametersSHA256)
	require.EqualValues(t, 30, r.Outcome.Steps)
}

func TestRemoveLeavesNothingBehind(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	var forgotten atomic.Value
	cfg := w.config("a")
	cfg.Forget = func(_ context.Context, id job.ID) error { forgotten.Store(id); return nil }
	s := run.New(cfg)
	w.run(s, 1)
	w.submit(line("j", 5))
	r := w.ended("j")
	a := &api.API{Records: w, Events: w, Jobs: s}
	_, err := a.Remove(t.Context(), []byte(`{"id":"j","model":true}`))
	require.NoError(t, err)
	w.mu.Lock()
	require.Empty(t, w.records)
	require.Empty(t, w.files)
	require.Empty(t, w.aliases)
	w.mu.Unlock()
	require.Equal(t, job.ID("j"), forgotten.Load())
	state, err := w.ledger.State(t.Context(), ledger.Layout{Ref: r.Ref(), Params: 2, ChunkLen: 64 << 10, Microbatch: 1})
	require.NoError(t, err)
	require.Equal(t, ledger.State{}, state)
}

func TestJobsThatEndedLongAgoAreRemoved(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	cfg := w.config("a")
	cfg.Retain = time.Millisecond
	w.run(run.New(cfg), 1)
	w.submit(line("j", 5))
	w.until("its removal", func() bool { _, there := w.records["j"]; return !there })
	w.mu.Lock()
	defer w.mu.Unlock()
	require.Contains(t, w.files, "j/model.safetensors", "the model is kept")
}

func TestJobsShareTheFleetByPriority(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	goOn := w.halt(0)
	s := w.service("a")
	w.run(s, 8)
	w.submit(`{"id":"high","priority":30,` + line("x", 10)[len(`{"id":"x",`):])
	w.submit(`{"id":"low","max_slots":1,` + line("x", 10)[len(`{"id":"x",`):])
	w.until("both to run", func() bool {
		return w.records["high"].State == job.Running && w.records["low"].State == job.Running
	})
	w.until("their shares", func() bool { return s.Slots("high") == 7 && s.Slots("low") == 1 })
	goOn()
	require.Equal(t, job.Succeeded, w.ended("high").State)
	require.Equal(t, job.Succeeded, w.ended("low").State)
}
