package ledgertest

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"tributary/shared/job"
	"tributary/shared/ledger"
	"tributary/shared/tree"
	"tributary/shared/wire"
)

// Faults describes one way in which the operations of a ledger fail.
type Faults struct {
	// Healthy is a ledger that never fails. It stands for another process.
	Healthy ledger.Ledger
	// Faulty returns a ledger on the same store, whose k-th operation from now on (from 1)
	// fails; with 0, none fails. made returns the number of its operations from now on.
	Faulty func(k int) (l ledger.Ledger, made func() int)
	// Hidden says that the ledger retries a failed operation itself, so callers see no
	// error.
	Hidden bool
	// Wire is the wire of the test's jobs.
	Wire wire.Format
	// Left lists what the store still holds of a job, under readable names.
	Left func(lay ledger.Layout) []string
}

// Every runs the whole life of a job many times. In each run, one operation of every call
// fails: the first, then the second, and so on. The process is taken for dead each time, and
// another process repeats the call, or everything from the beginning. Every run must end
// with the same bytes, and nothing may be left after the job is deleted. Over all runs, each
// operation of a life without faults fails exactly once.
func Every(t *testing.T, f Faults) {
	for _, chunk := range []int{2, 10} {
		for _, again := range []bool{false, true} {
			if again && f.Hidden {
				continue // there is no other process
			}
			f.life(t, chunk, again, nil) // a store may need more operations the first time
			operations := f.life(t, chunk, again, nil)
			fail, left := make([]int, len(operations)), 0
			for i, n := range operations {
				fail[i], left = min(1, n), left+n
			}
			require.Greater(t, left, 30, "a life has more operations than that")
			for left > 0 {
				before := left
				for i, n := range f.life(t, chunk, again, fail) {
					if fail[i] == 0 || n < fail[i] {
						continue // no operation is left, or an earlier fault has changed their number
					}
					left--
					if fail[i]++; fail[i] > operations[i] {
						fail[i] = 0
					}
				}
				require.Less(t, left, before, "operations %v of the calls are never made", fail)
			}
		}
	}
}

// life runs a life in which operation fail[i] of call i fails; with 0 or without fail, none
// does. It returns the number of operations of each call. The last call deletes the job.
func (f Faults) life(t *testing.T, chunk int, again bool, fail []int) (made []int) {
	ctx := t.Context()
	lay := Layout(5, chunk, 4)
	lay.Wire = f.Wire
	m := &mind{Layout: lay, t: t, commits: map[int64]int{}}
	defer func() {
		if t.Failed() {
			t.Logf("operations %v of the calls fail, %d chunks, taken up from the beginning: %v; operations made: %v",
				fail, lay.Chunks(), again, made)
		}
	}()
	do := func(call func(context.Context, ledger.Ledger) error) (ok bool) {
		k := 0
		if i := len(made); i < len(fail) {
			k = fail[i]
		}
		faulty, count := f.Faulty(k)
		err := call(ctx, faulty)
		made = append(made, count())
		if err == nil {
			return true
		}
		require.True(t, k > 0 && count() >= k, err)
		require.False(t, f.Hidden, err)
		require.NotErrorIs(t, err, job.ErrCorrupt)
		return false
	}
	calls := m.life()
	for i, call := range calls {
		if do(call) {
			continue
		}
		from := i
		if m.again = again; again {
			from = 0
		}
		for _, call := range calls[from : i+1] {
			require.NoError(t, call(ctx, f.Healthy))
		}
		m.again = false
	}
	m.requireOutcome(t, f.Healthy)
	if f.Hidden {
		require.Equal(t, map[int64]int{0: 1, 1: 1, 2: 1, 5: 1}, m.commits, "each step is committed once")
	}
	if !do(func(ctx context.Context, l ledger.Ledger) error { return l.Delete(ctx, lay) }) {
		require.NoError(t, f.Healthy.Delete(ctx, lay))
	}
	require.Empty(t, f.Left(lay))
	return made
}

// mind is what the processes of one life know.
type mind struct {
	ledger.Layout
	t       *testing.T
	commits map[int64]int // calls that committed the step
	again   bool          // the life runs a second time: its reads find later steps
}

// life returns all calls of a job's life: those of its workers and of its coordinator.
func (m *mind) life() []func(context.Context, ledger.Ledger) error {
	type run = func(context.Context, ledger.Ledger) error
	work := func(step int64, nodes ...tree.Node) (runs []run) {
		for _, node := range nodes {
			runs = append(runs, func(ctx context.Context, l ledger.Ledger) error { return m.work(ctx, l, step, node) })
		}
		return append(runs, func(ctx context.Context, l ledger.Ledger) error {
			_, err := l.Arrived(ctx, m.Layout, step) // as the coordinator does when a step stalls
			return err
		})
	}
	snapshot := func(step int64) run {
		return func(ctx context.Context, l ledger.Ledger) error {
			return l.PutSnapshot(ctx, m.Layout, snapshotOf(m.Layout, step, 2))
		}
	}
	again := func(step int64) run {
		return func(ctx context.Context, l ledger.Ledger) error {
			return Begin(ctx, l, m.Layout, snapshotOf(m.Layout, step, 2))
		}
	}
	batch := func(ctx context.Context, l ledger.Ledger) error {
		if m.Wire.Lossy() {
			return nil
		}
		err := l.CommitBatch(ctx, m.Layout, ledger.BatchCommit{From: 3, Sums: batchSums(m.Layout, 3, 4), Snapshot: snapshotOf(m.Layout, 4, 2)})
		if m.again && errors.Is(err, job.ErrStale) {
			err = nil
		}
		return err
	}
	evaluate := func(unit string) run {
		return func(ctx context.Context, l ledger.Ledger) error {
			_, err := l.PutEvaluation(ctx, m.Layout, 2, unit, []byte(unit))
			return err
		}
	}
	return slices.Concat(
		work(0, 2, 3, 2),
		work(1, tree.Root),
		[]run{m.read(ledger.State{Committed: 2}), snapshot(2), evaluate("validation/0"), evaluate("validation/1")},
		work(2, 4, 3, 5),
		[]run{
			m.read(ledger.State{Committed: 3, Snapshot: 2, Floor: 2}),
			func(ctx context.Context, l ledger.Ledger) error { return l.DropEvaluations(ctx, m.Layout, 2) },
		},
		[]run{batch},
		work(5, 2),                  // of steps that the ledger has lost
		[]run{m.stale(snapshot(5))}, // their snapshot comes too late
		[]run{again(5)},             // the coordinator starts the ledger again
		work(5, 3), work(6, 2),      // the job continues from there
	)
}

// work makes the calls of a worker that computes a node.
func (m *mind) work(ctx context.Context, l ledger.Ledger, step int64, node tree.Node) error {
	partial := Partial(m.Layout, step, node)
	if node == tree.Root {
		return m.append(ctx, l, step, m.AllChunks(), partial)
	}
	arrivals, err := l.Put(ctx, m.Layout, step, node, partial)
	if err != nil {
		return err
	}
	for c, a := range arrivals {
		if a.Cover == nil {
			continue
		}
		root, err := sum(ctx, m.t, l, m.Layout, step, node, c, a)
		switch {
		case errors.Is(err, job.ErrNotFound):
			continue // this life committed the chunk itself, before
		case err != nil:
			return err
		}
		if err := m.append(ctx, l, step, []int{c}, root); err != nil {
			return err
		}
	}
	return nil
}

func (m *mind) append(ctx context.Context, l ledger.Ledger, step int64, chunks []int, root ledger.Partial) error {
	committed, _, err := l.Append(ctx, m.Layout, ledger.LogWrite{Step: step, Chunks: chunks, Root: root, Residual: Residual(m.Layout, root), Before: Chain(m.Layout, step)})
	if committed {
		m.commits[step]++
	}
	return err
}

// stale expects that the call fails with job.ErrStale.
func (m *mind) stale(do func(context.Context, ledger.Ledger) error) func(context.Context, ledger.Ledger) error {
	return func(ctx context.Context, l ledger.Ledger) error {
		err := do(ctx, l)
		switch {
		case errors.Is(err, job.ErrStale):
			return nil
		case err == nil && !m.again:
			return fmt.Errorf("it was not refused: %w", job.ErrCorrupt)
		}
		return err
	}
}

// read reads everything in the ledger and compares it with the expected state.
func (m *mind) read(want ledger.State) func(context.Context, ledger.Ledger) error {
	return func(ctx context.Context, l ledger.Ledger) error {
		state, err := l.State(ctx, m.Layout)
		if err != nil || m.again {
			return err
		}
		if state != want {
			return fmt.Errorf("state is %+v: %w", state, job.ErrCorrupt)
		}
		losses, err := l.Losses(ctx, m.Layout, 0, want.Committed)
		if err == nil && !slices.Equal(losses, wantLosses(m.Layout, 0, want.Committed)) {
			err = fmt.Errorf("losses are %v: %w", losses, job.ErrCorrupt)
		}
		if err != nil {
			return err
		}
		last := want.Committed - 1
		root := make([]float32, m.Params)
		_, after, err := l.Root(ctx, m.Layout, ledger.LogRead{Step: last, Chunks: m.Layout.AllChunks(), Dst: root, Before: Chain(m.Layout, last)})
		if err == nil && !slices.Equal(after, Chain(m.Layout, want.Committed)) {
			err = fmt.Errorf("chain is %v: %w", after, job.ErrCorrupt)
		}
		if err == nil {
			err = m.readResidual(ctx, l, want.Committed, Residual(m.Layout, Partial(m.Layout, last, tree.Root)))
		}
		if err != nil || want.Snapshot == 0 {
			return err
		}
		step, chain, err := l.Snapshot(ctx, m.Layout, snapshotVectors(m.Layout, 2))
		if err == nil && (step != want.Snapshot || !slices.Equal(chain, Chain(m.Layout, step))) {
			err = fmt.Errorf("snapshot of step %d, chain %v: %w", step, chain, job.ErrCorrupt)
		}
		if err != nil {
			return err
		}
		units, err := l.Evaluations(ctx, m.Layout, 2)
		if err == nil && len(units) != 2 {
			err = fmt.Errorf("evaluations are %v: %w", units, job.ErrCorrupt)
		}
		return err
	}
}

// readResidual reads the residual before a step, with a lossy wire, and compares it.
func (m *mind) readResidual(ctx context.Context, l ledger.Ledger, step int64, want []float32) error {
	if !m.Wire.Lossy() {
		return nil
	}
	got := make([]float32, m.Params)
	err := l.Residual(ctx, m.Layout, ledger.LogRead{Step: step, Chunks: m.AllChunks(), Dst: got, Before: Chain(m.Layout, step)})
	if err == nil && !slices.Equal(got, want) {
		err = fmt.Errorf("residual before step %d is %v: %w", step, got, job.ErrCorrupt)
	}
	return err
}

// requireOutcome checks the result that every life must have.
func (m *mind) requireOutcome(t *testing.T, l ledger.Ledger) {
	t.Helper()
	requireState(t, l, m.Layout, ledger.State{Committed: 6, Snapshot: 5, Floor: 5})
	requireRoot(t, l, m.Layout, 5)
	requireSnapshot(t, l, m.Layout, 5, 2)
	require.NoError(t, m.readResidual(t.Context(), l, 6, Residual(m.Layout, Partial(m.Layout, 5, tree.Root))))
	require.NoError(t, m.readResidual(t.Context(), l, 5, snapshotOf(m.Layout, 5, 2).Vectors[len(snapshotVectors(m.Layout, 2))-1]))
	requireLosses(t, l, m.Layout, 5, 6)
	requireArrived(t, l, m.Layout, 6, 2)
	units, err := l.Evaluations(t.Context(), m.Layout, 2)
	require.NoError(t, err)
	require.Empty(t, units)
}
