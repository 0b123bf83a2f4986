package garbage

import (
	"context"
	"fmt"
	"iter"
	"maps"
	"slices"
	"sync"
	"testing"

	"github.com/rs/zerolog"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"tributary/coordinator/ingest"
	"tributary/coordinator/run"
	"tributary/shared/blob"
	"tributary/shared/job"
	ledgermemory "tributary/shared/ledger/memory"
	"tributary/shared/plan"
	"tributary/shared/spec"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// world has records, leases and stores in memory.
type world struct {
	t      *testing.T
	blobs  *blob.Memory
	ledger *ledgermemory.Ledger

	mu        sync.Mutex
	changed   chan struct{}
	records   map[job.ID]job.Record
	revisions map[job.ID]uint64
	leases    map[string]*lease
	term      uint64
	fails     error  // last error of All
	origin    string // origin of the records
	reading   func() // called when All begins, without the lock
}

func newWorld(t *testing.T) *world {
	return &world{
		t: t, blobs: blob.NewMemory(0), ledger: ledgermemory.New(), changed: make(chan struct{}), origin: "here",
		records: map[job.ID]job.Record{}, revisions: map[job.ID]uint64{}, leases: map[string]*lease{},
	}
}

func (w *world) change(apply func()) {
	w.mu.Lock()
	defer w.mu.Unlock()
	apply()
	close(w.changed)
	w.changed = make(chan struct{})
}

func (w *world) set(r job.Record) {
	w.change(func() { w.records[r.ID] = r; w.revisions[r.ID]++ })
}

func (w *world) remove(id job.ID) {
	w.change(func() { delete(w.records, id); w.revisions[id]++ })
}

func (w *world) Get(_ context.Context, id job.ID) (job.Record, uint64, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	r, ok := w.records[id]
	if !ok {
		return r, 0, job.ErrNotFound
	}
	return r, w.revisions[id], nil
}

func (w *world) Update(_ context.Context, r job.Record, revision uint64) (uint64, error) {
	err := job.ErrConflict
	w.change(func() {
		if w.revisions[r.ID] == revision {
			w.records[r.ID], err = r, nil
			w.revisions[r.ID]++
		}
	})
	return revision + 1, err
}

func (w *world) Delete(_ context.Context, id job.ID, _ uint64) error {
	w.remove(id)
	return nil
}

func (w *world) Watch(ctx context.Context, see func(job.Record)) error {
	for {
		w.mu.Lock()
		changed, records := w.changed, maps.Clone(w.records)
		w.mu.Unlock()
		for _, r := range records {
			see(r)
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-changed:
		}
	}
}

func (w *world) All(context.Context) iter.Seq2[job.Record, error] {
	return func(yield func(job.Record, error) bool) {
		if w.reading != nil {
			w.reading()
		}
		w.mu.Lock()
		all := slices.Collect(maps.Values(w.records))
		fails := w.fails
		w.mu.Unlock()
		for _, r := range all {
			if !yield(r, nil) {
				return
			}
		}
		if fails != nil {
			yield(job.Record{}, fails)
		}
	}
}

func (w *world) Origin(context.Context) (string, error) { return w.origin, nil }

type lease struct {
	w    *world
	key  string
	term uint64
	lost chan struct{}
}

func (w *world) Acquire(_ context.Context, key, _ string) (run.Lease, error) {
	var l *lease
	w.change(func() {
		if w.leases[key] == nil {
			w.term++
			l = &lease{w: w, key: key, term: w.term, lost: make(chan struct{})}
			w.leases[key] = l
		}
	})
	if l == nil {
		return nil, job.ErrConflict
	}
	return l, nil
}

func (w *world) held() bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.leases[Key] != nil
}

func (l *lease) Term() uint64          { return l.term }
func (l *lease) Lost() <-chan struct{} { return l.lost }

func (l *lease) Release(context.Context) error {
	l.w.change(func() {
		if l.w.leases[l.key] == l {
			delete(l.w.leases, l.key)
		}
	})
	return nil
}

// text is the spec of a job with rows rows.
func text(id job.ID, rows int) string {
	x := make([]int, rows)
	for i := range x {
		x[i] = i
	}
	list := fmt.Sprintf("%d", x)
	var values []byte
	for _, c := range []byte(list) {
		if c == ' ' {
			c = ','
		}
		values = append(values, c)
	}
	return fmt.Sprintf(`{"id":%q,"name":"n","data":{"inline":{"x":%s,"y":%s}},"model":{"layers":[{"dense":{"units":1}}]},
		"loss":"mse","optimizer":{"sgd":{"learning_rate":0.1}},"batch":2,"steps":5}`, id, values, values)
}

// submitted returns the record of a job with the given number of rows.
func (w *world) submitted(id job.ID, rows int) job.Record {
	w.t.Helper()
	s, err := spec.Decode([]byte(text(id, rows)))
	require.NoError(w.t, err)
	canonical, digest, err := spec.Canonical(s)
	require.NoError(w.t, err)
	return job.Record{ID: id, Run: "r", Name: s.Name, State: job.Submitted, Spec: canonical, SpecDigest: digest}
}

// planned stores the blocks and the plan of a job with the given number of rows, and
// records the job in a state.
func (w *world) planned(id job.ID, rows int, state job.State) *plan.Plan {
	w.t.Helper()
	s, err := spec.Decode([]byte(text(id, rows)))
	require.NoError(w.t, err)
	m, err := ingest.Run(w.t.Context(), s, &ingest.Roots{}, w.blobs, func(string) {})
	require.NoError(w.t, err)
	p := &plan.Plan{Version: plan.Version, Spec: *s, Dataset: *m, ChunkLen: 64}
	encoded, _, err := p.Encode()
	require.NoError(w.t, err)
	r := w.submitted(id, rows)
	r.State, r.Released = state, state.Final()
	r.Plan, err = w.blobs.Put(w.t.Context(), encoded)
	require.NoError(w.t, err)
	w.set(r)
	return p
}

func (w *world) put(data string) job.Digest {
	w.t.Helper()
	digest, err := w.blobs.Put(w.t.Context(), []byte(data))
	require.NoError(w.t, err)
	return digest
}

// there reports whether all blobs are in the store.
func (w *world) there(digests ...job.Digest) bool {
	w.t.Helper()
	for _, d := range digests {
		has, err := w.blobs.Has(w.t.Context(), d)
		require.NoError(w.t, err)
		if !has {
			return false
		}
	}
	return true
}

func (w *world) config() Config {
	return Config{
		Owner: "c", Records: w, Leases: w, Ledger: w.ledger, Blobs: w.blobs, Log: zerolog.Nop(),
		Every: 5e6, Soon: 1e6, Grace: 1, Drain: 20e6, Hold: 5e6,
	}
}
