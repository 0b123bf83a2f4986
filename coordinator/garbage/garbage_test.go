package garbage

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"tributary/shared/blob"
	"tributary/shared/blob/blobtest"
	"tributary/shared/checkpoint"
	"tributary/shared/gradient"
	"tributary/shared/job"
	"tributary/shared/ledger"
)

func TestOnlyWhatNoRecordLeadsToIsDeleted(t *testing.T) {
	w := newWorld(t)
	a := w.planned("a", 6, job.Succeeded)
	b := w.planned("b", 6, job.Running) // with the same rows
	c := w.planned("c", 8, job.Failed)
	require.Equal(t, a.Blobs(), b.Blobs(), "jobs share blocks")
	weights := w.put("the plan of another job has it")
	recordC := w.records["c"]
	c.Init = weights
	encoded, _, err := c.Encode()
	require.NoError(t, err)
	recordC.Plan = w.put(string(encoded))
	w.set(recordC)
	orphan := w.put("nobody has it")
	profile := w.put("what the training rows of c were like")
	recordC = w.records["c"]
	recordC.Profile = profile
	w.set(recordC)

	collector := New(w.config())
	done, err := collector.collect(t.Context(), w.blobs)
	require.NoError(t, err)
	require.Equal(t, 2, done.deleted, "the orphan, and the plan that c had before")
	require.False(t, w.there(orphan))
	require.True(t, w.there(profile))
	require.True(t, w.there(append(a.Blobs(), w.records["a"].Plan, w.records["b"].Plan, recordC.Plan, weights)...))

	planA := w.records["a"].Plan
	w.remove("a")
	_, err = collector.collect(t.Context(), w.blobs)
	require.NoError(t, err)
	require.False(t, w.there(planA))
	require.True(t, w.there(append(b.Blobs(), w.records["b"].Plan)...), "b still has these")
	w.remove("b")
	w.remove("c")
	_, err = collector.collect(t.Context(), w.blobs)
	require.NoError(t, err)
	for s := range w.blobs.List(t.Context()) {
		require.Fail(t, "nobody is there any more", "%v", s)
	}
	require.False(t, w.held())
}

func TestYoungBlobsAreCheckedAgain(t *testing.T) {
	w := newWorld(t)
	cfg := w.config()
	cfg.Grace = time.Hour
	orphan := w.put("a checkpoint that is being written, for one")
	done, err := New(cfg).collect(t.Context(), w.blobs)
	require.NoError(t, err)
	require.Equal(t, 1, done.young)
	require.Zero(t, done.deleted)
	require.True(t, w.there(orphan))
}

// state makes the training state of a running job after the given steps.
func (w *world) state(id job.ID, steps int64) (*checkpoint.Draft, ledger.Layout) {
	w.t.Helper()
	p := w.planned(id, 6, job.Running)
	e, err := gradient.Compile(w.t.Context(), p, w.blobs, nil)
	require.NoError(w.t, err)
	layout := e.Layout(job.Ref{Job: id, Run: "r"})
	s := &checkpoint.State{
		Ref: layout.Ref, Plan: layout.Plan, Numerics: "n",
		Snapshot: ledger.Snapshot{Step: steps, Chain: make(ledger.Chain, layout.Chunks()), Vectors: [][]float32{make([]float32, layout.Params)}},
		Losses:   make([]ledger.Sums, steps), Evaluations: map[string][]byte{},
	}
	d, err := checkpoint.NewDraft(s)
	require.NoError(w.t, err)
	return d, layout
}

func TestCheckpointsOnRecordAndThoseBeingWrittenStay(t *testing.T) {
	w := newWorld(t)
	recorded, _ := w.state("kept", 3)
	require.NoError(t, recorded.Write(t.Context(), w.blobs, func() {}))
	r := w.records["kept"]
	r.Checkpoints = []job.Checkpoint{{Step: 3, Digest: recorded.Digest}}
	w.set(r)
	draft, layout := w.state("writing", 4)
	require.NoError(t, draft.Announce(t.Context(), w.ledger, layout))
	require.NoError(t, draft.Write(t.Context(), w.blobs, func() {}))
	unknown, _ := w.state("gone", 5)
	require.NoError(t, unknown.Write(t.Context(), w.blobs, func() {}))
	w.remove("gone")

	_, err := New(w.config()).collect(t.Context(), w.blobs)
	require.NoError(t, err)
	for _, d := range []*checkpoint.Draft{recorded, draft} {
		require.NoError(t, checkpoint.Verify(t.Context(), w.blobs, d.Digest))
	}
	require.False(t, w.there(unknown.Digest))
	require.False(t, w.there(unknown.Manifest.Parts()[0]))
}

func TestACheckpointThatIsRecordedWhileTheRecordsAreReadStays(t *testing.T) {
	w := newWorld(t)
	draft, layout := w.state("j", 4)
	require.NoError(t, draft.Announce(t.Context(), w.ledger, layout))
	require.NoError(t, draft.Write(t.Context(), w.blobs, func() {}))
	old := w.records["j"]
	// The collector reads the record before the change. Then the checkpoint is recorded
	// and no longer a draft.
	records := stale{w, func() {
		r := w.records["j"]
		r.Checkpoints = []job.Checkpoint{{Step: 4, Digest: draft.Digest}}
		w.set(r)
		require.NoError(t, w.ledger.DropEvaluations(t.Context(), layout, ledger.Drafts))
	}, []job.Record{old}}
	cfg := w.config()
	cfg.Records = records
	_, err := New(cfg).collect(t.Context(), w.blobs)
	require.NoError(t, err)
	require.NoError(t, checkpoint.Verify(t.Context(), w.blobs, draft.Digest))
}

// stale has records that change after they were read.
type stale struct {
	*world
	then func()
	read []job.Record
}

func (s stale) All(context.Context) iter.Seq2[job.Record, error] {
	return func(yield func(job.Record, error) bool) {
		s.then()
		for _, r := range s.read {
			yield(r, nil)
		}
	}
}

func TestNothingIsDeletedWhenNotEverythingCanBeRead(t *testing.T) {
	for name, harm := range map[string]func(w *world, cfg *Config){
		"the records":               func(w *world, _ *Config) { w.fails = errors.New("the connection is gone") },
		"one record":                func(w *world, _ *Config) { w.fails = fmt.Errorf("decode: %w", job.ErrCorrupt) },
		"a plan that is missing":    func(w *world, _ *Config) { _ = w.blobs.Delete(t.Context(), w.records["a"].Plan) },
		"a plan that is no plan":    func(w *world, _ *Config) { w.setPlan("a", w.put("{")) },
		"a checkpoint that is none": func(w *world, _ *Config) { w.setCheckpoint("a", w.put("{}")) },
		"a plan of a later version": func(w *world, _ *Config) { w.setPlan("a", w.put(`{"version":2}`)) },
		"the store":                 func(_ *world, cfg *Config) { cfg.Blobs = &unreadable{Memory: cfg.Blobs.(*blob.Memory)} },
		"the ledger of a job":       func(_ *world, cfg *Config) { cfg.Ledger = away{cfg.Ledger} },
		"records of another":        func(w *world, cfg *Config) { w.origin = "there"; cfg.Blobs = claimed{w.blobs} },
		"the lease is another's":    func(w *world, _ *Config) { _, _ = w.Acquire(t.Context(), Key, "other") },
		"a job that prepares":       func(w *world, _ *Config) { r := w.submitted("p", 4); r.State = job.Preparing; w.set(r) },
		"a job that prepares anew":  func(w *world, _ *Config) { r := w.submitted("p", 4); r.State, r.Resumed = job.Preparing, 1; w.set(r) },
		"the lease is lost meanwhile": func(w *world, _ *Config) {
			w.reading = func() {
				w.mu.Lock()
				defer w.mu.Unlock()
				if l := w.leases[Key]; l != nil {
					close(l.lost)
					w.reading = nil
				}
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			w.planned("a", 6, job.Running)
			orphan := w.put("nobody has it")
			cfg := w.config()
			harm(w, &cfg)
			_, err := New(cfg).collect(t.Context(), cfg.Blobs.(blob.Lister))
			require.Error(t, err)
			require.True(t, w.there(orphan))
		})
	}
}

func (w *world) setPlan(id job.ID, plan job.Digest) {
	r := w.records[id]
	r.Plan = plan
	w.set(r)
}

func (w *world) setCheckpoint(id job.ID, digest job.Digest) {
	r := w.records[id]
	r.Checkpoints = []job.Checkpoint{{Step: 1, Digest: digest}}
	w.set(r)
}

// unreadable is a store whose listing fails in the middle.
type unreadable struct{ *blob.Memory }

func (u *unreadable) List(ctx context.Context) iter.Seq2[blob.Stored, error] {
	return func(yield func(blob.Stored, error) bool) {
		for s, err := range u.Memory.List(ctx) {
			if !yield(s, err) {
				return
			}
		}
		yield(blob.Stored{}, errors.New("the connection is gone"))
	}
}

// away is a ledger that is unreachable.
type away struct{ ledger.Results }

func (away) Evaluations(context.Context, ledger.Layout, int64) (map[string][]byte, error) {
	return nil, errors.New("the connection is gone")
}

// claimed is a store that another installation has used first.
type claimed struct{ *blob.Memory }

func (claimed) Claim(context.Context, string) (string, error) { return "here", nil }

func TestACollectionThatIsCutOffIsTakenUpAgain(t *testing.T) {
	for at := int64(1); ; at++ {
		w := newWorld(t)
		kept := w.planned("kept", 6, job.Running)
		for i := range 5 {
			w.put(fmt.Sprintf("nobody has blob %d", i))
		}
		faulty := &faultyLister{Faulty: blobtest.Faulty{Store: w.blobs, At: at, Lasting: true}, Lister: w.blobs}
		_, err := New(w.config()).collect(t.Context(), faulty)
		require.False(t, w.held())
		require.True(t, w.there(kept.Blobs()...))
		_, again := New(w.config()).collect(t.Context(), w.blobs)
		require.NoError(t, again)
		require.True(t, w.there(append(kept.Blobs(), w.records["kept"].Plan)...))
		left := 0
		for range w.blobs.List(t.Context()) {
			left++
		}
		require.Equal(t, len(kept.Blobs())+1, left)
		if err == nil {
			require.Greater(t, at, int64(5))
			return
		}
	}
}

// faultyLister lists its blobs, and fails at the other operations.
type faultyLister struct {
	blobtest.Faulty
	blob.Lister
}

func (f *faultyLister) Put(ctx context.Context, data []byte) (job.Digest, error) {
	return f.Faulty.Put(ctx, data)
}

func (f *faultyLister) Get(ctx context.Context, d job.Digest) ([]byte, error) {
	return f.Faulty.Get(ctx, d)
}

func (f *faultyLister) Has(ctx context.Context, d job.Digest) (bool, error) {
	return f.Faulty.Has(ctx, d)
}

func (f *faultyLister) Delete(ctx context.Context, d job.Digest) error {
	return f.Faulty.Delete(ctx, d)
}

func TestRoundsComeAfterTheStartAfterRemovalsAndHourly(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		cfg := w.config()
		cfg.Every, cfg.Soon, cfg.Grace, cfg.Drain, cfg.Hold = 0, 0, 0, 0, 0 // the defaults
		c := New(cfg)
		var rounds atomic.Int64
		w.reading = func() { rounds.Add(1) }
		ctx, stop := context.WithCancel(t.Context())
		ended := make(chan struct{})
		go func() { defer close(ended); c.Run(ctx) }()
		after := func(d time.Duration) int {
			before := rounds.Load()
			<-time.After(d) // by the clock of synctest
			synctest.Wait()
			return int(rounds.Load() - before)
		}
		require.Zero(t, after(59*time.Second))
		require.Equal(t, 1, after(2*time.Second), "a minute after the start")
		require.Zero(t, after(59*time.Minute))
		require.Equal(t, 1, after(2*time.Minute), "an hour later")
		for range 10 {
			c.Wake()
		}
		require.Equal(t, 1, after(2*time.Minute), "a minute after removals")
		require.Zero(t, after(50*time.Minute))
		stop()
		<-ended
	})
}

// broken is a ledger that panics.
type broken struct{ ledger.Results }

func (broken) Evaluations(context.Context, ledger.Layout, int64) (map[string][]byte, error) {
	panic("on purpose")
}

// A panic for one job ends the round but not the coordinator.
func TestAPanicEndsTheRoundAlone(t *testing.T) {
	w := newWorld(t)
	w.planned("a", 6, job.Running)
	orphan := w.put("nobody has it")
	cfg := w.config()
	cfg.Ledger = broken{cfg.Ledger}
	c := New(cfg)
	require.Positive(t, c.round(t.Context(), w.blobs))
	require.True(t, w.there(orphan))
	require.False(t, w.held())
}
