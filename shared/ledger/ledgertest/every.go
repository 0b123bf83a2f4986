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

// Faults is one way in which a ledger's operations fail.
type Faults struct {
	// Healthy is a ledger that never fails, as another process has it.
	Healthy ledger.Ledger
	// Faulty returns a ledger on the same store of which the k-th operation from
	// now on, from 1, fails, and a function that tells whether it has.
	Faulty func(k int) (l ledger.Ledger, fired func() bool)
	// Hidden: a failure is tried again inside, and no caller hears of it.
	Hidden bool
	// Wire is the job's.
	Wire wire.Format
	// Left lists what the store still holds of a job, by names people can read.
	Left func(lay ledger.Layout) []string
}

// Every lets every operation of a job's whole life fail, one in each life: the
// process that met the failure is gone, and another takes the life up, where
// it stopped or from its beginning. Each life must end with the same bytes, and
// leave nothing behind when the job is deleted.
func Every(t *testing.T, f Faults) {
	for _, chunk := range []int{2, 10} {
		for _, again := range []bool{false, true} {
			if again && f.Hidden {
				continue // there is no other process
			}
			k := 1
			for ; f.one(t, k, chunk, again); k++ {
			}
			require.Greater(t, k, 30, "a life has more operations than that")
		}
	}
}

// one leads a life of which the k-th operation fails; false when it has fewer.
func (f Faults) one(t *testing.T, k, chunk int, again bool) (fired bool) {
	ctx := t.Context()
	lay := Layout(5, chunk, 4)
	lay.Wire = f.Wire
	defer func() {
		if t.Failed() {
			t.Logf("operation %d fails, %d chunks, taken up from the beginning: %v", k, lay.Chunks(), again)
		}
	}()
	faulty, met := f.Faulty(k)
	m := &mind{Layout: lay, t: t, commits: map[int64]int{}}
	life := m.life()
	for i, do := range life {
		err := do(ctx, faulty)
		if err == nil {
			continue
		}
		require.True(t, met(), err)
		require.False(t, f.Hidden, err)
		require.NotErrorIs(t, err, job.ErrCorrupt)
		m.again = again
		if again {
			i = 0
		}
		for _, do := range life[i:] {
			require.NoError(t, do(ctx, f.Healthy))
		}
		break
	}
	m.requireOutcome(t, f.Healthy)
	if f.Hidden {
		require.Equal(t, map[int64]int{0: 1, 1: 1, 2: 1, 5: 1}, m.commits, "each step is committed once")
	}
	if err := faulty.Delete(ctx, lay); err != nil {
		require.True(t, met() && !f.Hidden, err)
		require.NoError(t, f.Healthy.Delete(ctx, lay))
	}
	require.Empty(t, f.Left(lay))
	return met()
}

// mind is what a life knows of itself.
type mind struct {
	ledger.Layout
	t       *testing.T
	commits map[int64]int // calls that committed the step
	again   bool          // the life is led a second time: what it reads is further on
}

// life is all that happens to a job, as its workers and its coordinator call.
func (m *mind) life() []func(context.Context, ledger.Ledger) error {
	type run = func(context.Context, ledger.Ledger) error
	work := func(step int64, nodes ...tree.Node) (runs []run) {
		for _, node := range nodes {
			runs = append(runs, func(ctx context.Context, l ledger.Ledger) error { return m.work(ctx, l, step, node) })
		}
		return append(runs, func(ctx context.Context, l ledger.Ledger) error {
			_, err := l.Arrived(ctx, m.Layout, step) // as a coordinator does when a step stalls
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
		work(5, 2),                  // of a life that the ledger has forgotten
		[]run{m.stale(snapshot(5))}, // whose snapshot comes too late
		[]run{again(5)},             // the coordinator begins the ledger again
		work(5, 3), work(6, 2),      // and the job goes on from there
	)
}

// work does what a worker does with a node.
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
			continue // it was this life's own doing, before
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

// stale expects the ledger to say that the call comes too late.
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

// read reads everything there is to read and compares.
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

// readResidual reads the residual before a step, of a lossy wire, and compares.
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

// requireOutcome: what every life comes to.
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
