package run_test

import (
	"context"
	"errors"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"tributary/coordinator/run"
	"tributary/shared/blob"
	"tributary/shared/job"
	"tributary/shared/ledger"
	"tributary/shared/notice"
)

// record returns a job's current record.
func (w *world) record(id job.ID) job.Record {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.records[id]
}

// once fails if the job began again: then most of the first n steps were taken twice. A
// backup takes a single step again when its worker stands still for a moment.
func once(t *testing.T, attempts *[64]atomic.Int32, n int) {
	t.Helper()
	again := 0
	for step := range n {
		require.Positive(t, attempts[step].Load(), "step %d", step)
		if attempts[step].Load() > 1 {
			again++
		}
	}
	require.Less(t, again, n/2, "steps that were taken again")
}

// layoutOf returns the layout of the jobs that line makes.
func layoutOf(r job.Record) ledger.Layout {
	return ledger.Layout{Ref: r.Ref(), Plan: r.Plan, Params: 2, ChunkLen: 64 << 10, Microbatch: 1}
}

// endsAs checks that the job j succeeds like an undisturbed one, without beginning again.
func (w *world) endsAs(want *job.Outcome, attempts *[64]atomic.Int32, n int) {
	w.t.Helper()
	r := w.ended("j")
	require.Equal(w.t, job.Succeeded, r.State, r.Error)
	require.Equal(w.t, want.ParametersSHA256, r.Outcome.ParametersSHA256)
	once(w.t, attempts, n)
}

func TestACancelledJobGoesOnWhereItStood(t *testing.T) {
	t.Parallel()
	want := reference(t, 30)
	w := newWorld(t)
	goOn := w.halt(20)
	attempts := w.counted()
	s := w.service("a")
	w.upTo(20, s)
	require.NoError(t, w.ask(s, job.Cancel, "j"))
	w.until("its release", func() bool { return w.records["j"].Released })
	r := w.record("j")
	require.EqualValues(t, 20, r.Checkpoints[0].Step)
	state, err := w.ledger.State(t.Context(), layoutOf(r))
	require.NoError(t, err)
	require.Zero(t, state, "the ledger is deleted")
	w.reported("the note", func(e notice.Event) bool {
		return e.Type == notice.NoteEvent && e.Message == "wrote a checkpoint after step 20: resume makes the job go on from there"
	})
	goOn()
	require.NoError(t, w.ask(s, job.Resume, "j"))
	w.endsAs(want, attempts, 20)
}

// A paused job survives the loss of its ledger. So does a job whose coordinator was
// stopped, for example together with all servers.
func TestAJobThatStandsStillOutlivesItsLedger(t *testing.T) {
	t.Parallel()
	want := reference(t, 30)
	for _, how := range []string{"pause", "stop"} {
		t.Run(how, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			goOn := w.halt(20)
			attempts := w.counted()
			s := w.service("a")
			stop := w.upTo(20, s)
			if how == "pause" {
				require.NoError(t, w.ask(s, job.Pause, "j"))
			} else {
				stop()
			}
			w.until("the lease to be free", func() bool { return len(w.leases) == 0 })
			r := w.record("j")
			require.EqualValues(t, 20, r.Checkpoints[0].Step)
			require.NoError(t, w.ledger.Delete(t.Context(), layoutOf(r)))
			goOn()
			if how == "pause" {
				require.NoError(t, w.ask(s, job.Resume, "j"))
			} else {
				w.run(w.service("b"), 1)
			}
			w.endsAs(want, attempts, 20)
		})
	}
}

func TestAFailedJobIsRetriedFromWhereItStood(t *testing.T) {
	t.Parallel()
	want := reference(t, 30)
	w := newWorld(t)
	var mended atomic.Bool
	attempts := w.counted()
	before := w.working
	w.working = func(task job.Task) error {
		if task.Kind == job.Gradient && task.Step == 15 && !mended.Load() {
			return job.ErrPoison
		}
		return before(task)
	}
	s := w.service("a")
	w.run(s, 1)
	w.submit(line("j", 30))
	require.Equal(t, job.Failed, w.ended("j").State)
	w.until("its release", func() bool { return w.records["j"].Released })
	mended.Store(true)
	require.NoError(t, w.ask(s, job.Retry, "j"))
	w.until("its end", func() bool { return w.records["j"].State == job.Succeeded })
	require.Equal(t, want.ParametersSHA256, w.record("j").Outcome.ParametersSHA256)
	once(t, attempts, 15)
}

// If the blob store accepts nothing, a cancelled job loses its last steps and says so.
// The coordinator still releases it.
func TestALastCheckpointThatCannotBeWritten(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	blobs := &fullStore{Store: w.blobs}
	goOn := w.halt(20)
	defer goOn()
	cfg := w.config("a")
	cfg.Blobs = blobs
	var saved atomic.Int64
	cfg.Saved = func(job.Record) error { saved.Add(1); return errors.New("never called") }
	s := run.New(cfg)
	w.upTo(20, s)
	blobs.full.Store(true)
	require.NoError(t, w.ask(s, job.Cancel, "j"))
	w.until("its release", func() bool { return w.records["j"].Released })
	require.Empty(t, w.record("j").Checkpoints)
	require.Zero(t, saved.Load())
	w.reported("the error", func(e notice.Event) bool {
		return e.Type == notice.ErrorEvent && strings.HasPrefix(e.Message, "the last checkpoint of the job could not be written: write ")
	})
}

// A coordinator was away while another ended and released its job. It then notes a recall
// of the tasks, which a later sweep deletes.
func TestANoteOfAReleasedJobIsSweptAway(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	goOn := w.halt(10)
	defer goOn()
	cfg := w.config("a")
	cfg.Recall = func(notice.Recall) error { return nil }
	w.upTo(10, run.New(cfg))
	r := w.record("j")
	require.NoError(t, w.ledger.Delete(t.Context(), layoutOf(r)))
	w.change(func() {
		r.State, r.Released, r.Term, r.Owner = job.Cancelled, true, r.Term+1, "b"
		w.records["j"] = r
	})
	w.until("the owner to let go of it", func() bool { return len(w.leases) == 0 })
	require.Eventually(t, func() bool {
		notes, err := w.ledger.Notes(t.Context(), r.Ref())
		return err == nil && len(notes) == 0
	}, 30*time.Second, 50*time.Millisecond)
}

// hooked is a blob store that calls a function before it stores a blob.
type hooked struct {
	blob.Store
	before func()
}

func (h *hooked) Put(ctx context.Context, data []byte) (job.Digest, error) {
	if h.before != nil {
		h.before()
	}
	return h.Store.Put(ctx, data)
}

// The driver releases at once a job that is removed during its last checkpoint. The job
// then has no such checkpoint.
func TestALastCheckpointOfAJobThatIsRemoved(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	blobs := &hooked{Store: w.blobs}
	goOn := w.halt(20)
	defer goOn()
	cfg := w.config("a")
	cfg.Blobs = blobs
	s := run.New(cfg)
	w.upTo(20, s)
	blobs.before = func() {
		w.change(func() {
			r := w.records["j"]
			r.Removing = true
			w.records["j"] = r
		})
	}
	require.NoError(t, w.ask(s, job.Cancel, "j"))
	w.until("the owner to let go of it", func() bool { return len(w.leases) == 0 })
	require.Empty(t, w.record("j").Checkpoints)
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, e := range w.events {
		require.NotContains(t, e.Message, "no checkpoint could be written")
	}
}
