package run_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"tributary/shared/blob"
	"tributary/shared/checkpoint"
	"tributary/shared/job"
	"tributary/shared/ledger"
	"tributary/shared/notice"
)

// saving is the line job with a checkpoint every that many steps.
func saving(id string, steps, every, keep int) string {
	return strings.Replace(line(id, steps), `"batch"`, fmt.Sprintf(`"checkpoint":{"every_steps":%d,"keep":%d},"batch"`, every, keep), 1)
}

// once calls do at the first task of a step at which the newest recorded checkpoint
// covers at least that many steps.
func (w *world) once(step, checkpointed int64, do func(newest []job.Checkpoint) error) {
	var done atomic.Bool
	before := w.working
	w.working = func(t job.Task) error {
		if before != nil {
			if err := before(t); err != nil {
				return err
			}
		}
		if t.Kind != job.Gradient || t.Step != step || done.Load() {
			return nil
		}
		w.mu.Lock()
		list := w.records[t.Job].Checkpoints
		w.mu.Unlock()
		if len(list) == 0 || list[0].Step < checkpointed {
			return errors.New("not now")
		}
		done.Store(true)
		return do(list)
	}
}

// paced stops the worker at each step that is a multiple of every, up to last, until that
// step has a checkpoint. Otherwise one notice reports several steps, and the checkpoint
// is of a later step.
func (w *world) paced(every, last int64) {
	var saved int64
	before := w.working
	w.working = func(t job.Task) error {
		if t.Kind == job.Gradient && t.Step == saved+every && t.Step <= last {
			w.mu.Lock()
			list := w.records[t.Job].Checkpoints
			w.mu.Unlock()
			if len(list) == 0 || list[0].Step < t.Step {
				return errors.New("not now")
			}
			saved = t.Step
		}
		if before != nil {
			return before(t)
		}
		return nil
	}
}

// lose wipes the ledger of the line job.
func (w *world) lose([]job.Checkpoint) error {
	w.mu.Lock()
	r := w.records["j"]
	w.mu.Unlock()
	return w.ledger.Delete(w.t.Context(), ledger.Layout{Ref: r.Ref(), Plan: r.Plan, Params: 2, ChunkLen: 64 << 10, Microbatch: 1})
}

// requireSame checks that a job ended like the undisturbed one, including its report.
func (w *world) requireSame(r job.Record, want *world) {
	w.t.Helper()
	require.Equal(w.t, job.Succeeded, r.State, r.Error)
	o := want.ended("j").Outcome
	require.Equal(w.t, o.ParametersSHA256, r.Outcome.ParametersSHA256)
	require.Equal(w.t, o.Metrics, r.Outcome.Metrics)
	require.Equal(w.t, string(want.files["j/metrics.jsonl"]), string(w.files["j/metrics.jsonl"]), "every step's loss is in the report")
}

// undisturbed runs the job to its end in a world of its own.
func undisturbed(t *testing.T, text string) *world {
	t.Helper()
	w := newWorld(t)
	w.coordinate(1)
	w.submit(text)
	w.ended("j")
	return w
}

func TestALostLedgerIsRestoredFromTheNewestCheckpoint(t *testing.T) {
	t.Parallel()
	want := undisturbed(t, saving("j", 30, 5, 3))
	w := newWorld(t)
	attempts := w.counted()
	var from int64
	w.once(22, 20, func(list []job.Checkpoint) error {
		from = list[0].Step
		return w.lose(list)
	})
	w.paced(5, 20)
	w.coordinate(1)
	w.submit(saving("j", 30, 5, 3))
	w.requireSame(w.ended("j"), want)
	for step := range from {
		require.EqualValues(t, 1, attempts[step].Load(), "step %d was before the checkpoint after %d", step, from)
	}
	w.reported("the restoration", func(e notice.Event) bool {
		return e.Type == notice.NoteEvent && e.Step == from && strings.Contains(e.Message, "restored from the checkpoint")
	})
}

// fleeting is a ledger that is lost again in the middle of its first restorations.
type fleeting struct {
	ledger.Ledger
	mu    sync.Mutex
	began []time.Time // each restoration
}

func (l *fleeting) Begin(ctx context.Context, lay ledger.Layout, s ledger.Snapshot) error {
	if s.Step > 0 {
		l.mu.Lock()
		defer l.mu.Unlock()
		if l.began = append(l.began, time.Now()); len(l.began) <= 4 {
			return fmt.Errorf("its losses are gone: %w", job.ErrStale)
		}
	}
	return l.Ledger.Begin(ctx, lay, s)
}

func TestRestorationsThatFailAreFurtherAndFurtherApart(t *testing.T) {
	t.Parallel()
	want := undisturbed(t, saving("j", 30, 5, 3))
	w := newWorld(t)
	l := &fleeting{Ledger: w.ledger}
	w.ledger = l
	w.once(22, 20, w.lose)
	w.paced(5, 20)
	w.coordinate(1)
	w.submit(saving("j", 30, 5, 3))
	w.requireSame(w.ended("j"), want)
	l.mu.Lock()
	defer l.mu.Unlock()
	require.Len(t, l.began, 5)
	for i, least := range []time.Duration{20, 40, 80, 160} {
		require.GreaterOrEqual(t, l.began[i+1].Sub(l.began[i]), least*time.Millisecond)
	}
}

// A coordinator that takes a job over needs only what it finds.
func TestNextOwnerRestoresTheLedger(t *testing.T) {
	t.Parallel()
	want := undisturbed(t, saving("j", 30, 5, 3))
	w := newWorld(t)
	goOn := w.halt(22)
	w.paced(5, 20)
	stop := w.coordinateAs("a", 1)
	w.submit(saving("j", 30, 5, 3))
	w.until("a checkpoint", func() bool { l := w.records["j"].Checkpoints; return len(l) > 0 && l[0].Step == 20 })
	stop()
	require.NoError(t, w.lose(nil))
	goOn()
	w.coordinateAs("b", 1)
	w.requireSame(w.ended("j"), want)
}

// The ledger of a cancelled job is deleted, so a resumed job goes on from its checkpoint.
func TestACancelledJobGoesOnFromItsCheckpoint(t *testing.T) {
	t.Parallel()
	want := undisturbed(t, saving("j", 30, 5, 3))
	w := newWorld(t)
	goOn := w.halt(22)
	attempts := w.counted()
	w.paced(5, 20)
	s := w.service("a")
	w.run(s, 1)
	w.submit(saving("j", 30, 5, 3))
	w.until("a checkpoint", func() bool { l := w.records["j"].Checkpoints; return len(l) > 0 && l[0].Step == 20 })
	require.NoError(t, w.ask(s, job.Cancel, "j"))
	require.Equal(t, job.Cancelled, w.ended("j").State)
	goOn()
	require.NoError(t, w.ask(s, job.Resume, "j"))
	r := w.ended("j")
	w.requireSame(r, want)
	for step := range 20 {
		require.EqualValues(t, 1, attempts[step].Load(), "step %d", step)
	}
}

func TestACheckpointThatCannotBeReadIsPassedOver(t *testing.T) {
	t.Parallel()
	want := undisturbed(t, saving("j", 30, 5, 3))
	for _, c := range []struct {
		name string
		lose int // number of checkpoints to lose, the newest first
	}{{"the newest", 1}, {"all", 10}} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			attempts := w.counted()
			var from int64
			w.once(22, 20, func(list []job.Checkpoint) error {
				for i, k := range list {
					if i >= c.lose {
						from = k.Step
						break
					}
					m, err := checkpoint.Open(t.Context(), w.blobs, k.Digest)
					if err != nil {
						return err
					}
					lost := k.Digest // its manifest or one of its parts
					if i%2 == 0 {
						lost = m.Vectors[0][0]
					}
					if err := w.blobs.Delete(t.Context(), lost); err != nil {
						return err
					}
				}
				return w.lose(list)
			})
			w.paced(5, 20)
			w.coordinate(1)
			w.submit(saving("j", 30, 5, 3))
			r := w.ended("j")
			w.requireSame(r, want)
			w.reported("the loss", func(e notice.Event) bool {
				return e.Type == notice.ErrorEvent && strings.Contains(e.Message, "cannot be restored and is skipped")
			})
			for step := range from {
				require.EqualValues(t, 1, attempts[step].Load())
			}
			for _, k := range r.Checkpoints {
				require.NoError(t, checkpoint.Verify(t.Context(), w.blobs, k.Digest))
			}
		})
	}
}

func TestCheckpointsAreKeptInNumberAndGoWithTheJob(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	seen := map[job.Digest]job.Checkpoint{}
	w.change(func() {
		w.writing = func(_ context.Context, r job.Record) {
			w.mu.Lock()
			defer w.mu.Unlock()
			for _, c := range r.Checkpoints {
				seen[c.Digest] = c
			}
		}
	})
	goOn := func([]job.Checkpoint) error { return nil }
	for _, step := range []int64{8, 16, 24} { // so that there are at least four
		w.once(step, step-6, goOn)
	}
	s := w.service("a")
	w.run(s, 1)
	w.submit(saving("j", 30, 2, 2))
	r := w.ended("j")
	require.Equal(t, job.Succeeded, r.State, r.Error)
	require.Len(t, r.Checkpoints, 2)
	require.EqualValues(t, 30, r.Checkpoints[0].Step, "one is made at the end")
	require.Less(t, r.Checkpoints[1].Step, int64(30))
	var parts []job.Digest
	for _, c := range r.Checkpoints {
		require.NoError(t, checkpoint.Verify(t.Context(), w.blobs, c.Digest))
		m, err := checkpoint.Open(t.Context(), w.blobs, c.Digest)
		require.NoError(t, err)
		require.Equal(t, c.Bytes, m.Bytes)
		require.Equal(t, job.Numerics("n"), m.Numerics)
		parts = append(parts, c.Digest, m.Vectors[0][0], m.Losses[0])
		delete(seen, c.Digest)
	}
	require.NotEmpty(t, seen)
	for digest := range seen {
		w.gone(digest)
	}
	require.NoError(t, w.ask(s, job.Remove, "j"))
	for _, digest := range parts {
		w.gone(digest)
	}
}

// gone waits until a blob is deleted in the background.
func (w *world) gone(digest job.Digest) {
	w.t.Helper()
	require.Eventually(w.t, func() bool {
		has, err := w.blobs.Has(w.t.Context(), digest)
		return err == nil && !has
	}, 20*time.Second, 5*time.Millisecond)
}

// A full blob store does not fail a job.
func TestAJobEndsWithoutTheCheckpointsThatCannotBeWritten(t *testing.T) {
	t.Parallel()
	want := undisturbed(t, saving("j", 30, 5, 3))
	w := newWorld(t)
	w.working = func(t job.Task) error {
		if t.Kind == job.Save {
			return fmt.Errorf("write part: %w", job.ErrFull)
		}
		return nil
	}
	w.coordinate(1)
	w.submit(saving("j", 30, 5, 3))
	r := w.ended("j")
	w.requireSame(r, want)
	require.Empty(t, r.Checkpoints)
	w.reported("the failure", func(e notice.Event) bool {
		return e.Type == notice.ErrorEvent && strings.Contains(e.Message, "could not be written: write part: full")
	})
}

func TestAnnouncedCheckpointIsRead(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	goOn := w.halt(12)
	s := w.service("a")
	w.run(s, 1)
	w.submit(saving("j", 30, 10, 3))
	w.until("a checkpoint", func() bool { return len(w.records["j"].Checkpoints) == 1 })
	w.mu.Lock()
	r := w.records["j"]
	w.mu.Unlock()
	m, err := checkpoint.Open(t.Context(), w.blobs, r.Checkpoints[0].Digest)
	require.NoError(t, err)
	put := func(m checkpoint.Manifest) job.Digest {
		data, err := json.Marshal(m)
		require.NoError(t, err)
		digest, err := w.blobs.Put(t.Context(), data)
		require.NoError(t, err)
		return digest
	}
	foreign, late, torn := *m, *m, *m
	foreign.Run, foreign.Step = "another", m.Step+1
	late.Step = 31
	torn.Step, torn.Losses = m.Step+1, []job.Digest{blob.DigestOf([]byte("never written"))}
	for _, n := range []notice.Checkpointed{
		{Step: m.Step + 1, Digest: blob.DigestOf([]byte("nothing"))},
		{Step: m.Step + 1, Digest: put(foreign)},
		{Step: 31, Digest: put(late)},
		{Step: m.Step + 1, Digest: put(torn)},
		{Step: m.Step + 2, Digest: put(*m)},
	} {
		n.Ref = r.Ref()
		s.Checkpointed(n)
	}
	goOn()
	r = w.ended("j")
	require.Equal(t, job.Succeeded, r.State, r.Error)
	for _, c := range r.Checkpoints {
		require.NoError(t, checkpoint.Verify(t.Context(), w.blobs, c.Digest))
	}
	require.EqualValues(t, 30, r.Checkpoints[0].Step)
}
