package garbage

import (
	"context"
	"fmt"
	"io"
	"sync"
	"testing"
	"time"

	"github.com/rs/zerolog"
	"github.com/stretchr/testify/require"

	"tributary/coordinator/ingest"
	"tributary/coordinator/run"
	"tributary/shared/blob"
	"tributary/shared/job"
	"tributary/shared/notice"
	"tributary/shared/plan"
	queuememory "tributary/shared/queue/memory"
)

// nothing discards events and models.
type nothing struct{}

func (nothing) Publish(notice.Event) error                               { return nil }
func (nothing) PutFile(context.Context, string, string, io.Reader) error { return nil }
func (nothing) SetAlias(context.Context, string, string) error           { return nil }
func (nothing) Delete(context.Context, string) error                     { return nil }
func (nothing) Has(context.Context, string) (bool, error)                { return false, nil }
func (nothing) Probe(context.Context) error                              { return nil }

// coordinate runs a coordinator with these blobs until the test ends.
func (w *world) coordinate(blobs blob.Store) *run.Service {
	w.t.Helper()
	s := run.New(run.Config{
		Owner: "c", Records: w, Leases: w, Queue: queuememory.New(queuememory.Config{}), Ledger: w.ledger, Blobs: blobs,
		Models: nothing{}, Sources: &ingest.Roots{}, Events: nothing{}, Log: zerolog.Nop(),
		Collecting: func(context.Context) (bool, error) { return w.held(), nil },
	})
	ctx, stop := context.WithCancel(context.Background())
	var done sync.WaitGroup
	done.Go(func() {
		if err := s.Run(ctx); err != nil {
			w.t.Error(err)
		}
	})
	w.t.Cleanup(func() { stop(); done.Wait() })
	return s
}

// reaches waits for a job's state.
func (w *world) reaches(id job.ID, state job.State) job.Record {
	w.t.Helper()
	late := time.After(time.Minute)
	for {
		w.mu.Lock()
		r, changed := w.records[id], w.changed
		w.mu.Unlock()
		if r.State == state {
			return r
		}
		require.NotEqual(w.t, job.Failed, r.State, r.Error)
		select {
		case <-changed:
		case <-late:
			require.Failf(w.t, "waited in vain", "job %s is %s, not %s", id, r.State, state)
		}
	}
}

// complete fails unless all blobs of the record's plan exist.
func (w *world) complete(r job.Record) {
	w.t.Helper()
	data, err := w.blobs.Get(w.t.Context(), r.Plan)
	require.NoError(w.t, err)
	p, err := plan.Decode(data)
	require.NoError(w.t, err)
	require.True(w.t, w.there(p.Blobs()...), "blobs of %s are missing", r.ID)
}

// Jobs come and go with the same blocks and plans as earlier ones. Then Put finds a blob
// that the collector is about to delete.
func TestJobsThatPrepareBesideTheCollectorLoseNothing(t *testing.T) {
	w := newWorld(t)
	blobs := &slow{Memory: w.blobs}
	s := w.coordinate(blobs)
	cfg := w.config()
	cfg.Blobs = blobs
	collector := New(cfg)
	ctx, stop := context.WithCancel(t.Context())
	var collecting sync.WaitGroup
	collecting.Go(func() { collector.Run(ctx) })
	defer func() { stop(); collecting.Wait() }()

	var lines sync.WaitGroup
	for n := range 4 {
		lines.Go(func() {
			for i := range 25 {
				id := job.ID(fmt.Sprintf("j%d-%d", n, i))
				w.set(w.submitted(id, 6+i%2))
				r := w.reaches(id, job.Running)
				w.complete(r) //nolint:contextcheck // the test's own
				r, revision, err := w.Get(ctx, id)
				if err != nil {
					t.Error(err)
					return
				}
				r.State, r.Removing = job.Cancelled, true
				if _, err := w.Update(ctx, r, revision); err != nil {
					t.Error(err)
					return
				}
				if err := s.Remove(ctx, r, false); err != nil {
					t.Error(err)
				}
			}
		})
	}
	lines.Wait()
	require.Eventually(t, func() bool {
		for range w.blobs.List(t.Context()) {
			return false
		}
		return true
	}, time.Minute, 10*time.Millisecond, "in the end everything is collected")
}

// slow is a store that lets other goroutines run in between.
type slow struct{ *blob.Memory }

func (s *slow) Delete(ctx context.Context, d job.Digest) error {
	<-time.After(200 * time.Microsecond)
	return s.Memory.Delete(ctx, d)
}

// A preparing driver finds an existing blob, and the collector deletes it afterwards, as
// after a pause of its process. The driver checks again before it records the plan.
func TestBlobsThatVanishWhileAJobPreparesArePutAgain(t *testing.T) {
	w := newWorld(t)
	blobs := &vanishing{Memory: w.blobs, times: 3}
	w.coordinate(blobs)
	w.set(w.submitted("j", 6))
	w.complete(w.reaches("j", job.Running))
	require.Zero(t, blobs.times)
}

// vanishing is a store that loses a blob just before a check for it.
type vanishing struct {
	*blob.Memory
	mu    sync.Mutex
	times int
}

func (v *vanishing) Has(ctx context.Context, d job.Digest) (bool, error) {
	v.mu.Lock()
	defer v.mu.Unlock()
	if v.times > 0 {
		v.times--
		if err := v.Memory.Delete(ctx, d); err != nil {
			return false, err
		}
	}
	return v.Memory.Has(ctx, d)
}

func TestAJobWaitsUntilTheCollectorIsDone(t *testing.T) {
	w := newWorld(t)
	var mu sync.Mutex
	puts := 0
	w.coordinate(&counting{Memory: w.blobs, put: func() { mu.Lock(); puts++; mu.Unlock() }})
	held, err := w.Acquire(t.Context(), Key, "collector")
	require.NoError(t, err)
	w.set(w.submitted("j", 6))
	r := w.submitted("resumed", 6)
	r.State = job.Preparing
	w.set(r)
	w.until("both jobs have an owner", func() bool { return w.records["j"].Term > 0 && w.records["resumed"].Term > 0 })
	require.Equal(t, job.Submitted, w.records["j"].State, "a job that waits keeps nobody from deleting")
	mu.Lock()
	require.Zero(t, puts)
	mu.Unlock()
	require.NoError(t, held.Release(t.Context()))
	w.complete(w.reaches("j", job.Running))
	w.complete(w.reaches("resumed", job.Running))
}

func (w *world) until(what string, is func() bool) {
	w.t.Helper()
	late := time.After(time.Minute)
	for {
		w.mu.Lock()
		ok, changed := is(), w.changed
		w.mu.Unlock()
		if ok {
			return
		}
		select {
		case <-changed:
		case <-late:
			require.Fail(w.t, "waited in vain: "+what)
		}
	}
}

// counting counts every put.
type counting struct {
	*blob.Memory
	put func()
}

func (c *counting) Put(ctx context.Context, data []byte) (job.Digest, error) {
	c.put()
	return c.Memory.Put(ctx, data)
}
