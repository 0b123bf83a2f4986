package compute

import (
	"context"
	"fmt"
	"sync"
	"testing"

	"github.com/rs/zerolog"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"tributary/shared/blob"
	"tributary/shared/dataset"
	"tributary/shared/gradient"
	"tributary/shared/job"
	"tributary/shared/journal"
	"tributary/shared/ledger"
	"tributary/shared/ledger/memory"
	"tributary/shared/notice"
	"tributary/shared/plan"
	"tributary/shared/tree"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// The job of the tests: 40 rows of 3 features in blocks of 7 rows. Batches have 16 rows
// in 4 micro-batches, so the last batch of an epoch is short. There are 3 steps, and 25
// parameters in chunks of 8; the last chunk has 1.
const (
	rows     = 40
	features = 3
	steps    = 3
	leaves   = 4
)

// fixture is a job's plan and dataset in a blob store, and its empty ledger.
type fixture struct {
	t       *testing.T
	blobs   *blob.Memory
	blocks  *dataset.Cache
	ledger  *memory.Ledger
	plan    *plan.Plan
	digest  job.Digest
	notices noticeBus
}

// noticeBus records the announcements so far, and passes notices to the workers.
type noticeBus struct {
	mu             sync.Mutex
	commits        []int64
	norms          []notice.GradientNorm // of published commits
	evaluated      []int
	snapshots      []int64
	saved          []notice.Checkpointed
	deaf           bool // workers hear no commits
	commitHandlers map[int]func(notice.Commit)
	recallHandlers map[int]func(notice.Recall)
	listeners      int
}

func (h *noticeBus) SubscribeCommits(_ job.ID, receive func(notice.Commit)) (func(), error) {
	return listen(h, &h.commitHandlers, receive), nil
}

func (h *noticeBus) SubscribeRecalls(_ job.ID, receive func(notice.Recall)) (func(), error) {
	return listen(h, &h.recallHandlers, receive), nil
}

func listen[T any](h *noticeBus, to *map[int]func(T), receive func(T)) (stop func()) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if *to == nil {
		*to = map[int]func(T){}
	}
	h.listeners++
	n := h.listeners
	(*to)[n] = receive
	return func() {
		h.mu.Lock()
		defer h.mu.Unlock()
		delete(*to, n)
	}
}

// recall records in the journal that tasks are recalled, and notifies every worker.
func (f *fixture) recall(n notice.Recall) {
	require.NoError(f.t, journal.Recall(context.Background(), f.ledger, n.Ref, n.Before))
	f.notices.recall(n)
}

// recall notifies every worker that tasks are recalled.
func (h *noticeBus) recall(n notice.Recall) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, receive := range h.recallHandlers {
		receive(n)
	}
}

func (h *noticeBus) PublishCommit(n notice.Commit) error {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.commits = append(h.commits, n.Committed)
	if n.GradientNorm != nil {
		h.norms = append(h.norms, *n.GradientNorm)
	}
	if !h.deaf {
		for _, receive := range h.commitHandlers {
			receive(n)
		}
	}
	return nil
}

func (h *noticeBus) PublishEvaluated(n notice.Evaluated) error {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.evaluated = append(h.evaluated, n.Stored)
	return nil
}

func (h *noticeBus) PublishSnapshotted(n notice.Snapshotted) error {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.snapshots = append(h.snapshots, n.Step)
	return nil
}

func (h *noticeBus) PublishCheckpointed(n notice.Checkpointed) error {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.saved = append(h.saved, n)
	return nil
}

func newFixture(t *testing.T, changes ...func(*plan.Plan)) *fixture {
	t.Helper()
	f := &fixture{t: t, blobs: blob.NewMemory(0), ledger: memory.New()}
	f.blocks = dataset.NewCache(f.blobs, 1<<20)
	f.plan = &plan.Plan{
		Version: plan.Version, ChunkLen: 8,
		Spec: job.Spec{
			Model: job.Model{
				Layers: []job.Layer{{Dense: &job.Dense{Units: 4, Activation: job.Tanh}}, {Dense: &job.Dense{Units: 1}}},
				Init:   job.Init{Scheme: job.TorchUniform},
			},
			Loss: job.MSE, Optimizer: job.Optimizer{SGD: &job.SGD{LearningRate: 0.05, Momentum: 0.9}},
			Batch: 16, Microbatches: leaves, Steps: steps, Seed: 3, Metrics: []job.Metric{job.RMSE},
		},
		Dataset: dataset.Manifest{
			Version: 1, Features: features, Targets: 1,
			Preprocessing: &dataset.Preprocessing{},
			Splits:        map[job.Split][]dataset.BlockRef{job.Train: f.store(rows), job.Test: f.store(10)},
		},
	}
	for i := range features {
		f.plan.Dataset.Preprocessing.Columns = append(f.plan.Dataset.Preprocessing.Columns,
			dataset.Column{Name: fmt.Sprint("x", i), Kind: dataset.Numeric, Scale: 1})
	}
	for _, change := range changes {
		change(f.plan)
	}
	encoded, digest, err := f.plan.Encode()
	require.NoError(t, err)
	_, err = f.blobs.Put(t.Context(), encoded)
	require.NoError(t, err)
	f.digest = digest
	return f
}

// store stores n rows in blocks of 7: y = x0 - 2 x1 + x2/2.
func (f *fixture) store(n int) []dataset.BlockRef {
	var refs []dataset.BlockRef
	for lo := 0; lo < n; lo += 7 {
		b := &dataset.Block{Rows: min(7, n-lo), Features: features, Targets: 1}
		for i := lo; i < lo+b.Rows; i++ {
			x := []float32{float32(i%5) / 5, float32(i%7) / 7, float32(i%11) / 11}
			b.X, b.Y = append(b.X, x...), append(b.Y, x[0]-2*x[1]+x[2]/2)
		}
		data := dataset.Encode(b)
		digest, err := f.blobs.Put(f.t.Context(), data)
		require.NoError(f.t, err)
		refs = append(refs, dataset.BlockRef{Digest: digest, Rows: b.Rows, Bytes: len(data)})
	}
	return refs
}

// worker returns a new Computer. If l is nil, it uses the fixture's ledger.
func (f *fixture) worker(l ledger.Ledger) *Computer {
	if l == nil {
		l = f.ledger
	}
	c := New(l, f.blobs, f.blocks, &f.notices, 2, 1<<20, zerolog.Nop())
	c.reading = 24 // three chunks of one other node, or one of three
	return c
}

func (f *fixture) task(k job.Kind, step int64) job.Task {
	return job.Task{Ref: job.Ref{Job: "j", Run: "r"}, Plan: f.digest, Numerics: "n", Kind: k, Step: step}
}

func (f *fixture) gradient(step int64, node tree.Node) job.Task {
	t := f.task(job.Gradient, step)
	t.Node = node
	return t
}

func (f *fixture) evaluate(step int64, split job.Split, block int) job.Task {
	t := f.task(job.Evaluate, step)
	t.Split, t.Block = split, block
	return t
}

// none is a Hold that observes nothing.
var none = hold{}

type hold struct{}

func (hold) Progress()                                        {}
func (hold) Threads() int                                     { return 1 }
func (hold) Leaving() <-chan struct{}                         { return nil }
func (hold) Aside(_ context.Context, wait func() error) error { return wait() }

// do carries out the tasks; all must succeed.
func (f *fixture) do(c *Computer, tasks ...job.Task) {
	f.t.Helper()
	for _, task := range tasks {
		require.NoError(f.t, c.Handle(f.t.Context(), task, none), task.Name())
	}
}

func (f *fixture) engine() *gradient.Engine {
	f.t.Helper()
	e, err := gradient.Compile(f.t.Context(), f.plan, f.blobs, f.blocks)
	require.NoError(f.t, err)
	return e
}

func (f *fixture) layout() ledger.Layout { return f.engine().Layout(job.Ref{Job: "j", Run: "r"}) }

func (f *fixture) state() ledger.State {
	f.t.Helper()
	s, err := f.ledger.State(f.t.Context(), f.layout())
	require.NoError(f.t, err)
	return s
}

// root is a step's root gradient and its sums.
type root struct {
	gradient []float32
	sums     ledger.Sums
}

// roots reads the log from a step on.
func (f *fixture) roots(from, to int64) []root {
	f.t.Helper()
	l := f.layout()
	var all []root
	for step := from; step < to; step++ {
		r := root{gradient: make([]float32, l.Params)}
		var err error
		r.sums, _, err = f.ledger.Root(f.t.Context(), l, ledger.LogRead{Step: step, Chunks: l.AllChunks(), Dst: r.gradient, Before: f.chain(step)})
		require.NoError(f.t, err)
		all = append(all, r)
	}
	return all
}

// chain returns the log's chain before a step, computed by the plain loop.
func (f *fixture) chain(step int64) ledger.Chain {
	f.t.Helper()
	l := f.layout()
	chain := l.Genesis()
	for n, r := range f.reference()[:step] {
		for c, before := range chain {
			_, sum, _ := l.EncodeRoot(nil, int64(n), c, r.gradient, r.sums, before)
			chain[c] = before.Next(sum)
		}
	}
	return chain
}

// reference computes every step's root in the plain loop.
func (f *fixture) reference() []root {
	f.t.Helper()
	e := f.engine()
	params, state := make([]float32, e.Network.Params()), [][]float32{make([]float32, e.Network.Params())}
	e.Initial(params)
	var all []root
	for step := range e.Plan.Steps() {
		r := root{gradient: make([]float32, len(params))}
		var err error
		r.sums, err = e.Node(f.t.Context(), r.gradient, gradient.NewScratch(), params, step, tree.Root, nil)
		require.NoError(f.t, err)
		e.Fold.Apply(params, state, step, r.gradient, e.Divisor(r.sums))
		all = append(all, r)
	}
	return all
}
