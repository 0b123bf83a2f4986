package compute

import (
	"sync"
	"testing"

	"github.com/rs/zerolog"
	"github.com/stretchr/testify/require"

	"tributary/shared/gradient"
	"tributary/shared/job"
	"tributary/shared/ledger"
	"tributary/shared/metric"
	"tributary/shared/tree"
)

func TestEvaluationsOfABlockAreStoredOnce(t *testing.T) {
	f := newFixture(t)
	f.do(f.worker(nil), f.gradient(0, tree.Root))
	c := f.worker(nil)
	f.do(c, f.evaluate(1, job.Test, 1), f.evaluate(1, job.Test, 0), f.evaluate(1, job.Test, 0), f.evaluate(1, job.Train, 0))
	require.Equal(t, []int{1, 2, 2, 3}, f.notices.evaluated)

	units, err := f.ledger.Evaluations(t.Context(), f.layout(), 1)
	require.NoError(t, err)
	got, err := metric.DecodeSums(units["test/1"])
	require.NoError(t, err)
	e := f.engine()
	params := f.parameters(1)
	want, err := e.Evaluate(t.Context(), gradient.NewScratch(), params, job.Test, 1)
	require.NoError(t, err)
	require.Equal(t, want, got)
}

// parameters folds the first n steps of the log with a plain loop.
func (f *fixture) parameters(n int64) []float32 {
	f.t.Helper()
	e := f.engine()
	params, state := make([]float32, e.Network.Params()), [][]float32{make([]float32, e.Network.Params())}
	e.Initial(params)
	for step, r := range f.reference()[:n] {
		e.Fold.Apply(params, state, int64(step), r.gradient, e.Divisor(r.sums))
	}
	return params
}

func TestADifferingEvaluationIsCorrupt(t *testing.T) {
	f := newFixture(t)
	_, err := f.ledger.PutEvaluation(t.Context(), f.layout(), 0, "test/0", []byte("other"))
	require.NoError(t, err)
	require.ErrorIs(t, f.worker(nil).Handle(t.Context(), f.evaluate(0, job.Test, 0), none), job.ErrCorrupt)
}

func TestSnapshots(t *testing.T) {
	f := newFixture(t)
	c := f.worker(nil)
	stored := func() (int64, [][]float32) {
		v := [][]float32{make([]float32, f.layout().Params), make([]float32, f.layout().Params)}
		step, _, err := f.ledger.Snapshot(t.Context(), f.layout(), v)
		require.NoError(t, err)
		return step, v
	}
	f.do(c, f.task(job.Snapshot, 0))
	require.Equal(t, ledger.State{}, f.state(), "there is nothing to store before the first step")

	f.do(c, f.gradient(0, tree.Root), f.task(job.Snapshot, 1))
	step, v := stored()
	require.EqualValues(t, 1, step)
	require.Equal(t, f.parameters(1), v[0])

	// For a snapshot of an old step, a replica at a later step is good enough.
	f.do(c, f.gradient(1, tree.Root), f.task(job.Snapshot, 1))
	step, v = stored()
	require.EqualValues(t, 2, step)
	require.Equal(t, f.parameters(2), v[0])

	// A snapshot older than the newest one is not stored; the worker announces the newest
	// one.
	late := f.worker(nil)
	f.do(late, f.task(job.Snapshot, 2), f.task(job.Snapshot, 1))
	require.Equal(t, []int64{0, 1, 2, 2, 2}, f.notices.snapshots)
	require.Equal(t, ledger.State{Committed: 2, Snapshot: 2, Floor: 2}, f.state())

	// A snapshot of a step that is not committed is stale; the coordinator asks for it
	// again.
	require.ErrorIs(t, late.Handle(t.Context(), f.task(job.Snapshot, 3), none), job.ErrStale)

	// A new worker starts from the snapshot and computes the same bits.
	f.do(f.worker(nil), f.gradient(2, tree.Root))
	require.Equal(t, f.reference()[2:], f.roots(2, 3))
}

// A replica with steps that the ledger has lost must not be stored.
func TestNoSnapshotIsNewerThanTheLedger(t *testing.T) {
	f := newFixture(t)
	speculative := f.worker(nil)
	f.do(speculative, f.gradient(0, tree.Root), f.gradient(1, tree.Root), f.gradient(2, tree.Root))
	require.NoError(t, f.ledger.Delete(t.Context(), f.layout()))
	f.do(f.worker(nil), f.gradient(0, tree.Root), f.gradient(1, tree.Root))

	f.do(speculative, f.task(job.Snapshot, 1))
	require.Equal(t, ledger.State{Committed: 2}, f.state())
	f.do(speculative, f.task(job.Snapshot, 2))
	require.Equal(t, ledger.State{Committed: 2, Snapshot: 2, Floor: 2}, f.state())
	f.do(speculative, f.gradient(2, tree.Root))
	require.Equal(t, f.reference()[2:], f.roots(2, 3))
}

func TestProgramsAreKeptWithinTheLimitInBytes(t *testing.T) {
	f := newFixture(t)
	one := int64(3 * 4 * f.layout().Params) // parameters, momentum, scratch
	c := New(f.ledger, f.blobs, f.blocks, &f.notices, 1, 2*one, zerolog.Nop())
	task := func(id job.ID) job.Task {
		task := f.gradient(0, tree.Root)
		task.Job = id
		return task
	}
	f.do(c, task("a"), task("b"), task("c"))
	ps := c.programs
	require.Equal(t, 2, ps.lru.Len())
	require.Equal(t, 2*one, ps.held)
	_, kept := ps.cached(programKey{task("a").Ref, f.digest})
	require.False(t, kept, "the least recently used goes first")

	// A program larger than the limit is kept alone, because it is the current job.
	c = New(f.ledger, f.blobs, f.blocks, &f.notices, 1, 1, zerolog.Nop())
	f.do(c, task("d"), task("e"))
	require.Equal(t, 1, c.programs.lru.Len())
	require.Equal(t, one, c.programs.held)
}

func TestSlotsShareOneProgram(t *testing.T) {
	f := newFixture(t)
	c := f.worker(nil)
	got := make([]*program, 16)
	var all sync.WaitGroup
	for i := range got {
		all.Go(func() { got[i], _ = c.programs.get(t.Context(), f.gradient(0, tree.Root)) })
	}
	all.Wait()
	for _, p := range got {
		require.Same(t, got[0], p)
	}
	require.NotNil(t, got[0])
	require.Equal(t, got[0].replica.Bytes(), c.programs.held)
}
