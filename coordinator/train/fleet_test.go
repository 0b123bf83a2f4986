package train

import (
	"context"
	"fmt"
	"io"
	"maps"
	"math/rand/v2"
	"sync"
	"testing"
	"time"

	"github.com/rs/zerolog"
	"github.com/stretchr/testify/require"

	"tributary/coordinator/ingest"
	"tributary/coordinator/place"
	"tributary/coordinator/run"
	"tributary/shared/blob"
	"tributary/shared/dataset"
	"tributary/shared/gradient"
	"tributary/shared/job"
	"tributary/shared/ledger"
	ledgermemory "tributary/shared/ledger/memory"
	"tributary/shared/notice"
	"tributary/shared/plan"
	queuememory "tributary/shared/queue/memory"
	"tributary/shared/registry"
	"tributary/shared/serial"
	"tributary/shared/spec"
	worker "tributary/worker/run"
)

// world is everything that both programs talk to, in memory. It is a fleet without
// servers, so a test can have many of them and break them.
type world struct {
	queue  *queuememory.Queue
	ledger ledger.Ledger
	blobs  blob.Store

	mu        sync.Mutex
	changed   chan struct{} // closed and replaced when a record changes
	records   map[job.ID]job.Record
	revisions map[job.ID]uint64
	files     map[string][]byte
	held      map[string]bool // leases
	term      uint64          // term of the newest lease
	events    []notice.Event
	service   *run.Service
	lossy     float64        // fraction of notices that get lost
	answers   map[int]func() // workers that a roll call reaches
	commits   map[int]func(notice.Commit)
	recalls   map[int]func(notice.Recall)
	listeners int
	workers   int // number of workers so far
}

func newWorld() *world {
	return &world{
		queue: queuememory.New(queuememory.Config{Lease: 300 * time.Millisecond}), ledger: ledgermemory.New(), blobs: blob.NewMemory(0),
		changed: make(chan struct{}), records: map[job.ID]job.Record{}, revisions: map[job.ID]uint64{},
		files: map[string][]byte{}, held: map[string]bool{}, answers: map[int]func(){},
		commits: map[int]func(notice.Commit){}, recalls: map[int]func(notice.Recall){},
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

func (w *world) Update(_ context.Context, r job.Record, revision uint64) (uint64, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.revisions[r.ID] != revision {
		return 0, job.ErrConflict
	}
	w.records[r.ID] = r
	w.revisions[r.ID]++
	close(w.changed)
	w.changed = make(chan struct{})
	return w.revisions[r.ID], nil
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
		case <-time.After(20 * time.Millisecond): // like the broker, it checks periodically
		}
	}
}

type memoryLease struct {
	w    *world
	key  string
	term uint64
}

func (w *world) Acquire(_ context.Context, key, _ string) (run.Lease, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.held[key] {
		return nil, job.ErrConflict
	}
	w.held[key] = true
	w.term++
	return memoryLease{w, key, w.term}, nil
}

func (l memoryLease) Term() uint64 { return l.term }

func (l memoryLease) Lost() <-chan struct{} { return nil }

func (l memoryLease) Release(context.Context) error {
	l.w.mu.Lock()
	defer l.w.mu.Unlock()
	delete(l.w.held, l.key)
	return nil
}

func (w *world) Publish(e notice.Event) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.events = append(w.events, e)
	return e.Validate()
}

func (w *world) PutFile(_ context.Context, model, file string, content io.Reader) error {
	data, err := io.ReadAll(content)
	w.mu.Lock()
	defer w.mu.Unlock()
	w.files[model+"/"+file] = data
	return err
}

func (w *world) Delete(context.Context, job.ID, uint64) error { return nil }

// models is the world's registry.
type models struct{ *world }

func (models) Delete(context.Context, string) error      { return nil }
func (models) Has(context.Context, string) (bool, error) { return false, nil }
func (models) Probe(context.Context) error               { return nil }

func (w *world) SetAlias(context.Context, string, string) error { return nil }

// to passes a notice to the current coordinator, or loses it.
func (w *world) to(hand func(*run.Service)) error {
	w.mu.Lock()
	s, lost := w.service, rand.Float64() < w.lossy
	w.mu.Unlock()
	if s != nil && !lost {
		hand(s)
	}
	return nil
}

func (w *world) PublishCommit(n notice.Commit) error {
	w.mu.Lock()
	for _, receive := range w.commits {
		if rand.Float64() >= w.lossy {
			go receive(n)
		}
	}
	w.mu.Unlock()
	return w.to(func(s *run.Service) { s.Committed(n) })
}

func (w *world) SubscribeCommits(_ job.ID, receive func(notice.Commit)) (func(), error) {
	return listen(w, w.commits, receive), nil
}

func (w *world) SubscribeRecalls(_ job.ID, receive func(notice.Recall)) (func(), error) {
	return listen(w, w.recalls, receive), nil
}

// listen registers a worker's receiver until the returned function is called.
func listen[T any](w *world, ears map[int]func(T), receive func(T)) (stop func()) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.listeners++
	id := w.listeners
	ears[id] = receive
	return func() {
		w.mu.Lock()
		defer w.mu.Unlock()
		delete(ears, id)
	}
}

// recall notifies the workers which tasks to stop.
func (w *world) recall(n notice.Recall) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, receive := range w.recalls {
		if rand.Float64() >= w.lossy {
			go receive(n)
		}
	}
	return n.Validate()
}

func (w *world) PublishEvaluated(n notice.Evaluated) error {
	return w.to(func(s *run.Service) { s.Evaluated(n) })
}

func (w *world) PublishSnapshotted(n notice.Snapshotted) error {
	return w.to(func(s *run.Service) { s.Snapshotted(n) })
}

func (w *world) PublishCheckpointed(n notice.Checkpointed) error {
	return w.to(func(s *run.Service) { s.Checkpointed(n) })
}

func (w *world) PublishFailure(n notice.Failure) error {
	return w.to(func(s *run.Service) { s.Failed(n) })
}

func (w *world) PublishBeat(n notice.Beat) error { return w.to(func(s *run.Service) { s.Beat(n) }) }

func (w *world) AnswerFor(string) (func(), error) { return func() {}, nil }

// Record returns what a worker reads of a job.
func (w *world) Record(ctx context.Context, id job.ID) (job.Record, error) {
	r, _, err := w.Get(ctx, id)
	return r, err
}

func (w *world) SubscribeAsides(func(notice.Aside)) (func(), error) { return func() {}, nil }

func (w *world) SubscribeCalls(answer func()) (func(), error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.workers++
	id := w.workers
	w.answers[id] = answer
	return func() {
		w.mu.Lock()
		defer w.mu.Unlock()
		delete(w.answers, id)
	}, nil
}

// call makes a roll call of the workers.
func (w *world) call() {
	w.mu.Lock()
	answers := maps.Clone(w.answers)
	w.mu.Unlock()
	for _, answer := range answers {
		answer()
	}
}

// submit records a job as the API does.
func (w *world) submit(t *testing.T, text string) *job.Spec {
	t.Helper()
	s, err := spec.Decode([]byte(text))
	require.NoError(t, err)
	canonical, digest, err := spec.Canonical(s)
	require.NoError(t, err)
	w.mu.Lock()
	defer w.mu.Unlock()
	w.records[s.ID] = job.Record{ID: s.ID, Run: "r1", Name: s.Name, State: job.Submitted, Spec: canonical, SpecDigest: digest}
	w.revisions[s.ID] = 1
	return s
}

// coordinate runs a coordinator until the returned function is called.
func (w *world) coordinate(t *testing.T) (stop func()) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	service := run.New(run.Config{
		Owner: "test", Records: w, Leases: w, Queue: w.queue, Ledger: w.ledger, Blobs: w.blobs, Models: models{w},
		Sources: &ingest.Roots{Anywhere: true, Outside: place.Outside{}}, Events: w, Recall: w.recall, Log: zerolog.Nop(),
	})
	w.mu.Lock()
	w.service = service
	w.mu.Unlock()
	var done sync.WaitGroup
	done.Go(func() { require.NoError(t, service.Run(ctx)) })
	w.call()
	return func() { cancel(); done.Wait() }
}

// work runs a worker until stop ends it gracefully or kill ends it like kill -9.
func (w *world) work(t *testing.T, id string, slots int, wrap func(ledger.Ledger) ledger.Ledger) (stop, kill func()) {
	t.Helper()
	l := w.ledger
	if wrap != nil {
		l = wrap(l)
	}
	soft, endSoft := context.WithCancel(t.Context())
	hard, endHard := context.WithCancel(t.Context())
	var done sync.WaitGroup
	done.Go(func() {
		require.NoError(t, worker.Run(soft, hard, worker.Config{
			ID: id, Slots: slots, Numerics: "test", Queue: w.queue, Ledger: l, Blobs: w.blobs, Bus: w, Records: w,
			BlockBytes: 1 << 20, ReplicaBytes: 1 << 20, Operations: plan.Capabilities(), Log: zerolog.Nop(),
		}))
	})
	stop = func() { endSoft(); done.Wait(); endHard() }
	kill = func() { endHard(); endSoft(); done.Wait() }
	t.Cleanup(kill)
	return stop, kill
}

// ended waits for the job's final record.
func (w *world) ended(t *testing.T, id job.ID) job.Record {
	t.Helper()
	for {
		w.mu.Lock()
		r, changed := w.records[id], w.changed
		w.mu.Unlock()
		if r.State.Final() && r.Released {
			return r
		}
		select {
		case <-changed:
		case <-time.After(30 * time.Second):
			require.Failf(t, "job does not end", "%+v", r)
		}
	}
}

// engine ingests the spec's data and compiles it.
func engine(t *testing.T, s *job.Spec) *gradient.Engine {
	t.Helper()
	blobs := blob.NewMemory(0)
	manifest, err := ingest.Run(t.Context(), s, &ingest.Roots{Anywhere: true, Outside: place.Outside{}}, blobs, nil)
	require.NoError(t, err)
	p, err := plan.Make(s, manifest, 1<<16, nil)
	require.NoError(t, err)
	e, err := gradient.Compile(t.Context(), p, blobs, dataset.NewCache(blobs, 1<<26))
	require.NoError(t, err)
	return e
}

// reference trains the spec in the plain loop.
func reference(t *testing.T, s *job.Spec) (job.Digest, *serial.Result) {
	t.Helper()
	r, err := serial.Train(t.Context(), engine(t, s))
	require.NoError(t, err)
	return registry.ParametersDigest(r.Params), r
}

// short is a real but quick job: 24 steps with evaluations and momentum.
const short = `
id: short
name: digits
data:
  source: deployments/data/digits.csv.gz
  label: digit
  transform: {scale: standard}
  split: {train: 0.8, validation: 0.1, test: 0.1, stratify: true}
model: {layers: [{dense: {units: 32, activation: relu}}, {dense: {units: 10}}]}
loss: softmax_cross_entropy
optimizer: {sgd: {learning_rate: 0.1, momentum: 0.9}}
batch: 256
microbatches: 8
epochs: 4
seed: 7
metrics: [accuracy]
`

func TestAnyFleetEqualsSerial(t *testing.T) {
	for _, c := range []struct{ workers, slots int }{{1, 1}, {1, 2}, {2, 1}, {3, 1}, {8, 1}, {3, 3}} {
		t.Run(fmt.Sprintf("%d workers of %d slots", c.workers, c.slots), func(t *testing.T) {
			w := newWorld()
			s := w.submit(t, short)
			want, serial := reference(t, s)
			defer w.coordinate(t)()
			for i := range c.workers {
				w.work(t, fmt.Sprint("w", i), c.slots, nil)
			}
			r := w.ended(t, "short")
			require.Equal(t, job.Succeeded, r.State, r.Error)
			require.Equal(t, want, r.Outcome.ParametersSHA256)
			require.Equal(t, serial.Metrics, r.Outcome.Metrics)
			require.Contains(t, w.files, "short/"+registry.WeightsFile)
		})
	}
}

func TestWorkersComeAndGoAndNoticesGetLost(t *testing.T) {
	w := newWorld()
	w.lossy = 0.2
	s := w.submit(t, short)
	want, _ := reference(t, s)
	stop := w.coordinate(t)
	defer stop()
	ctx, enough := context.WithCancel(t.Context())
	var churn sync.WaitGroup
	defer churn.Wait()
	defer enough()
	w.work(t, "steady", 1, nil)
	churn.Go(func() {
		for i := 0; ctx.Err() == nil; i++ {
			stop, kill := w.work(t, fmt.Sprint("passing", i), 1+i%3, nil) //nolint:contextcheck // it outlives the churn, until the test ends
			select {
			case <-ctx.Done():
			case <-time.After(time.Duration(rand.IntN(50)) * time.Millisecond):
			}
			if i%2 == 0 {
				kill()
			} else {
				stop()
			}
		}
	})
	r := w.ended(t, "short")
	require.Equal(t, job.Succeeded, r.State, r.Error)
	require.Equal(t, want, r.Outcome.ParametersSHA256)
}

func TestAnotherCoordinatorGoesOnFromTheLedger(t *testing.T) {
	w := newWorld()
	s := w.submit(t, short)
	want, serial := reference(t, s)
	w.work(t, "w", 2, nil)
	for i, ended := 0, false; !ended; i++ {
		stop := w.coordinate(t)
		select {
		case <-time.After(20 * time.Millisecond << min(i, 10)): // longer each time, so that the job makes progress
		case <-t.Context().Done():
		}
		w.mu.Lock()
		ended = w.records["short"].State.Final() && w.records["short"].Released
		w.mu.Unlock()
		stop()
	}
	r := w.ended(t, "short")
	require.Equal(t, job.Succeeded, r.State, r.Error)
	require.Equal(t, want, r.Outcome.ParametersSHA256)
	require.Equal(t, serial.Metrics, r.Outcome.Metrics)
}
