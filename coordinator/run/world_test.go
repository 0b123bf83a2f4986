package run_test

import (
	"context"
	"flag"
	"fmt"
	"io"
	"iter"
	"maps"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/rs/zerolog"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"tributary/coordinator/ingest"
	"tributary/coordinator/report"
	"tributary/coordinator/run"
	"tributary/shared/blob"
	"tributary/shared/job"
	"tributary/shared/ledger"
	ledgermemory "tributary/shared/ledger/memory"
	"tributary/shared/notice"
	"tributary/shared/plan"
	"tributary/shared/queue"
	queuememory "tributary/shared/queue/memory"
	"tributary/shared/replica"
	"tributary/shared/spec"
)

func TestMain(m *testing.M) {
	plan.Operations = []plan.Operation{{Capability: "novelty", Used: func(s *job.Spec) bool { return s.Name == "novel" }}}
	// More tests at a time than there are CPUs, because most of them wait.
	if err := flag.Set("test.parallel", "8"); err != nil {
		panic(err)
	}
	goleak.VerifyTestMain(m)
}

// world is a coordinator's environment in memory, with a simple worker that does one task
// at a time.
type world struct {
	t         *testing.T
	queue     *queuememory.Queue
	ledger    ledger.Ledger
	blobs     *blob.Memory
	keep      func(job.ID, map[string][]byte) (string, error)
	exhausted chan job.Task
	// working, if set, is called before a task; its error fails the task.
	working  func(job.Task) error
	replicas map[job.Ref]*replica.Replica
	doing    sync.Mutex // held by the worker: one task at a time
	deaths   int        // deaths of the worker; a new worker follows each

	memory atomic.Int64 // memory that workers report
	novel  atomic.Bool  // workers report that they know the novelty

	mu        sync.Mutex
	changed   chan struct{} // closed and replaced when anything below changes
	records   map[job.ID]job.Record
	revisions map[job.ID]uint64
	leases    map[string]chan struct{}
	term      uint64 // term of the newest lease
	// writing, if set, is called without the lock before a record changes.
	writing  func(context.Context, job.Record)
	asked    int // requested leases
	acquired int // acquired leases
	files    map[string][]byte
	aliases  map[string]string
	events   []notice.Event
	services []*run.Service // services that receive the workers' notices
}

func newWorld(t *testing.T) *world {
	w := &world{
		t: t, ledger: ledgermemory.New(), blobs: blob.NewMemory(0), exhausted: make(chan job.Task, 16),
		changed: make(chan struct{}), records: map[job.ID]job.Record{}, revisions: map[job.ID]uint64{},
		replicas: map[job.Ref]*replica.Replica{},
		leases:   map[string]chan struct{}{}, files: map[string][]byte{}, aliases: map[string]string{},
	}
	w.queue = queuememory.New(queuememory.Config{
		Lease: 200 * time.Millisecond, MaxDeliver: 3, Exhausted: func(t job.Task, _ int) { w.exhausted <- t },
	})
	return w
}

// change changes the world and wakes the waiters.
func (w *world) change(apply func()) {
	w.mu.Lock()
	defer w.mu.Unlock()
	apply()
	close(w.changed)
	w.changed = make(chan struct{})
}

// until waits until is returns true. It holds w.mu during each call of is.
func (w *world) until(what string, is func() bool) {
	w.t.Helper()
	late := time.After(20 * time.Second)
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
			for id, r := range w.records {
				w.t.Logf("%s: %s, checkpoints %+v", id, r.State, r.Checkpoints)
			}
			for _, e := range w.events[max(0, len(w.events)-20):] {
				w.t.Logf("%.300s", fmt.Sprintf("%+v", e))
			}
			require.Fail(w.t, "waited in vain for "+what)
		}
	}
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

func (w *world) Update(ctx context.Context, r job.Record, revision uint64) (uint64, error) {
	w.mu.Lock()
	writing := w.writing
	w.mu.Unlock()
	if writing != nil {
		writing(ctx, r)
	}
	err := job.ErrConflict
	w.change(func() {
		if w.revisions[r.ID] == revision {
			if r.Term < w.records[r.ID].Term {
				w.t.Errorf("the term of %s fell to %d from %d", r.ID, r.Term, w.records[r.ID].Term)
			}
			w.records[r.ID], err = r, nil
			w.revisions[r.ID]++
		}
	})
	return revision + 1, err
}

func (w *world) Create(_ context.Context, r job.Record) (uint64, error) {
	err := job.ErrConflict
	w.change(func() {
		if _, ok := w.records[r.ID]; !ok {
			w.records[r.ID], err = r, nil
			w.revisions[r.ID]++
		}
	})
	return 1, err
}

func (w *world) Delete(_ context.Context, id job.ID, revision uint64) (err error) {
	w.change(func() {
		if _, ok := w.records[id]; ok && w.revisions[id] != revision {
			err = job.ErrConflict
			return
		}
		delete(w.records, id)
		w.revisions[id]++
	})
	return err
}

func (w *world) All(context.Context) iter.Seq2[job.Record, error] {
	return func(yield func(job.Record, error) bool) {
		w.mu.Lock()
		list := slices.Collect(maps.Values(w.records))
		w.mu.Unlock()
		for _, r := range list {
			if !yield(r, nil) {
				return
			}
		}
	}
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

// lease is held until its release or until its channel is closed.
type lease struct {
	w    *world
	key  string
	term uint64
	lost chan struct{}
}

func (w *world) Acquire(_ context.Context, key, _ string) (run.Lease, error) {
	l := lease{w: w, key: key, lost: make(chan struct{})}
	err := job.ErrConflict
	w.change(func() {
		w.asked++
		if w.leases[key] == nil {
			w.term++
			l.term = w.term
			w.leases[key], err = l.lost, nil
			w.acquired++
		}
	})
	return l, err
}

func (l lease) Term() uint64 { return l.term }

func (l lease) Lost() <-chan struct{} { return l.lost }

func (l lease) Release(context.Context) error {
	l.w.change(func() {
		if l.w.leases[l.key] == l.lost {
			delete(l.w.leases, l.key)
		}
	})
	return nil
}

func (w *world) Publish(e notice.Event) error {
	w.change(func() { w.events = append(w.events, e) })
	return e.Validate()
}

func (w *world) PutFile(_ context.Context, model, file string, content io.Reader) error {
	data, err := io.ReadAll(content)
	w.change(func() { w.files[model+"/"+file] = data })
	return err
}

// models is the world's registry.
type models struct{ *world }

func (m models) Delete(_ context.Context, model string) error {
	m.change(func() {
		maps.DeleteFunc(m.files, func(name string, _ []byte) bool { return strings.HasPrefix(name, model+"/") })
		maps.DeleteFunc(m.aliases, func(_, stands string) bool { return stands == model })
	})
	return nil
}

func (m models) Has(_ context.Context, model string) (bool, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.files[model+"/model.json"] != nil, nil
}

func (models) Probe(context.Context) error { return nil }

func (w *world) SetAlias(_ context.Context, alias, model string) error {
	w.change(func() { w.aliases[alias] = model })
	return nil
}

// submit records a job as the API does.
func (w *world) submit(text string) job.ID {
	w.t.Helper()
	return w.submitRun(text, "r")
}

func (w *world) submitRun(text string, run job.Run) job.ID {
	w.t.Helper()
	s, err := spec.Decode([]byte(text))
	require.NoError(w.t, err)
	canonical, digest, err := spec.Canonical(s)
	require.NoError(w.t, err)
	w.change(func() {
		w.records[s.ID] = job.Record{
			ID: s.ID, Run: run, Name: s.Name, State: job.Submitted, Spec: canonical, SpecDigest: digest,
			Priority: s.Priority, MaxSlots: s.MaxSlots,
		}
		w.revisions[s.ID]++
	})
	return s.ID
}

// coordinate runs a coordinator with a worker until the returned function is called. With
// slots 0 there is no worker.
func (w *world) coordinate(slots int) (stop func()) {
	w.t.Helper()
	return w.coordinateAs("test", slots)
}

func (w *world) coordinateAs(owner string, slots int) (stop func()) {
	w.t.Helper()
	return w.run(w.service(owner), slots)
}

// service returns a coordinator in this world.
func (w *world) service(owner string) *run.Service { return run.New(w.config(owner)) }

func (w *world) config(owner string) run.Config {
	return run.Config{
		Owner: owner, Records: w, Leases: w, Queue: w.queue, Ledger: w.ledger, Blobs: w.blobs, Models: models{w},
		Sources: &ingest.Roots{}, Events: w, Keep: w.keep, Log: zerolog.Nop(),
		// Drawing takes longer than everything else together.
		Report: func(report.Curves) (map[string][]byte, error) { return nil, nil },
	}
}

func (w *world) run(s *run.Service, slots int) (stop func()) {
	w.t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	w.change(func() { w.services = append(w.services, s) })
	var done sync.WaitGroup
	done.Go(func() {
		if err := s.Run(ctx); err != nil {
			w.t.Error(err)
		}
	})
	done.Go(func() {
		for {
			select {
			case <-ctx.Done():
				return
			case t := <-w.exhausted:
				s.Exhausted(t, 3)
			}
		}
	})
	if slots > 0 {
		w.beat("w", slots)
		done.Go(func() { w.beatUntil(ctx, "w", slots) })
		for _, lane := range []queue.Lane{queue.GradientLane, queue.BackgroundLane} {
			done.Go(func() { w.work(ctx, lane) })
		}
	}
	stop = sync.OnceFunc(func() {
		cancel()
		done.Wait()
		w.change(func() { w.services = slices.DeleteFunc(w.services, func(x *run.Service) bool { return x == s }) })
	})
	w.t.Cleanup(stop)
	return stop
}

// notify passes a notice to every coordinator.
func (w *world) notify(notice func(*run.Service)) {
	w.mu.Lock()
	services := slices.Clone(w.services)
	w.mu.Unlock()
	for _, s := range services {
		notice(s)
	}
}

// present adds another worker, which does nothing, until the test ends.
func (w *world) present(worker string) {
	w.beat(worker, 2)
	go w.beatUntil(w.t.Context(), worker, 2)
}

func (w *world) beat(worker string, slots int) {
	w.notify(func(s *run.Service) {
		b := notice.Beat{Worker: worker, Version: "v1", Numerics: "n", Slots: slots, Memory: w.memory.Load()}
		if w.novel.Load() {
			b.Version, b.Capabilities = "v2", []job.Capability{"novelty"}
		}
		s.Beat(b)
	})
}

func (w *world) beatUntil(ctx context.Context, worker string, slots int) {
	tick := time.NewTicker(time.Second)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
			w.beat(worker, slots)
		}
	}
}

// ended waits until the job is final and released.
func (w *world) ended(id job.ID) job.Record {
	w.t.Helper()
	var r job.Record
	w.until("the end of "+string(id), func() bool { r = w.records[id]; return r.State.Final() && r.Released })
	return r
}

// reported waits for an event.
func (w *world) reported(what string, is func(notice.Event) bool) {
	w.t.Helper()
	w.until(what, func() bool { return slices.ContainsFunc(w.events, is) })
}
