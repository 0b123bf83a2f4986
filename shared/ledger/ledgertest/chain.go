package ledgertest

import (
	"fmt"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"tributary/shared/job"
	"tributary/shared/ledger"
	"tributary/shared/tree"
)

// chainIsAdvanced tests that writers and readers get the same chain, however often they
// call, advanced only in the chunks of the call.
func chainIsAdvanced(t *testing.T, l ledger.Ledger) {
	for _, chunk := range []int{2, 10} {
		lay, ctx := layoutOf(l, 5, chunk, 4), t.Context()
		chain := lay.Genesis()
		for step := range int64(3) {
			root, want := Partial(lay, step, tree.Root), Chain(lay, step+1)
			for range 2 {
				_, after, err := l.Append(ctx, lay, ledger.LogWrite{Step: step, Chunks: []int{0}, Root: root, Residual: Residual(lay, root), Before: chain})
				require.NoError(t, err)
				require.Equal(t, want[0], after[0])
				require.Equal(t, chain[1:], after[1:], "chunks of other workers")
			}
			_, written, err := l.Append(ctx, lay, ledger.LogWrite{Step: step, Chunks: lay.AllChunks(), Root: root, Residual: Residual(lay, root), Before: chain})
			require.NoError(t, err)
			require.Equal(t, want, written)
			_, read, err := l.Root(ctx, lay, ledger.LogRead{Step: step, Chunks: lay.AllChunks(), Dst: make([]float32, 5), Before: chain})
			require.NoError(t, err)
			require.Equal(t, want, read)
			require.Equal(t, Chain(lay, step), chain, "which is not changed")
			chain = read
		}
		// A late worker appends a step once more after it was trimmed.
		require.NoError(t, l.PutSnapshot(ctx, lay, snapshotOf(lay, 3, 1)))
		root := Partial(lay, 1, tree.Root)
		_, late, err := l.Append(ctx, lay, ledger.LogWrite{Step: 1, Chunks: lay.AllChunks(), Root: root, Residual: Residual(lay, root), Before: Chain(lay, 1)})
		require.NoError(t, err)
		require.Equal(t, Chain(lay, 2), late)
	}
}

// another returns a root that differs from the step's root.
func another(lay ledger.Layout, step int64) ledger.Partial {
	root := Partial(lay, step, tree.Root)
	alter(lay, root.Gradient, 0)
	return root
}

// alter changes one element of a chunk. The chunk stays rounded.
func alter(lay ledger.Layout, v []float32, chunk int) {
	lo, hi := lay.Chunk(chunk)
	for i := lo; i < hi; i++ {
		if v[i] != 0 {
			v[i] = -v[i]
			return
		}
	}
}

// requireForked checks that a caller with the given chain cannot read or append the step,
// and that the error names both links.
func requireForked(t *testing.T, l ledger.Ledger, lay ledger.Layout, step int64, chain ledger.Chain, logged ledger.Link, chunk int) {
	t.Helper()
	_, _, err := l.Root(t.Context(), lay, ledger.LogRead{Step: step, Chunks: lay.AllChunks(), Dst: make([]float32, lay.Params), Before: chain})
	require.ErrorIs(t, err, job.ErrCorrupt)
	for _, part := range []string{"the log was forked, rolled back or written by another job", logged.String(), chain[chunk].String(), fmt.Sprint("step ", step), fmt.Sprint("chunk ", chunk)} {
		require.ErrorContains(t, err, part)
	}
}

// forkIsNamed tests a ledger that was lost and then filled with another history. A reader
// of the first history notices it at its next step. A reader that starts anew reads the
// other history to its end.
func forkIsNamed(t *testing.T, l ledger.Ledger) {
	for _, chunk := range []int{2, 10} {
		lay, ctx := layoutOf(l, 5, chunk, 4), t.Context()
		for step := range int64(2) {
			commit(t, l, lay, step)
		}
		require.NoError(t, l.Delete(ctx, lay))
		fork := lay.Genesis()
		for step := range int64(3) {
			before, root := fork, another(lay, step)
			_, after, err := l.Append(ctx, lay, ledger.LogWrite{Step: step, Chunks: lay.AllChunks(), Root: root, Residual: Residual(lay, root), Before: before})
			require.NoError(t, err)
			require.Equal(t, After(lay, before, step, root), after)
			fork = after
			if step == 2 {
				requireForked(t, l, lay, 2, Chain(lay, 2), before[0], 0)
				root = Partial(lay, 2, tree.Root)
				_, _, err = l.Append(ctx, lay, ledger.LogWrite{Step: 2, Chunks: lay.AllChunks(), Root: root, Residual: Residual(lay, root), Before: Chain(lay, 2)})
				require.ErrorIs(t, err, job.ErrCorrupt, "nor is it written over")
				require.ErrorContains(t, err, before[0].String())
				require.ErrorContains(t, err, "forked")
			}
		}
		reader := lay.Genesis()
		for step := range int64(3) {
			var err error
			_, reader, err = l.Root(ctx, lay, ledger.LogRead{Step: step, Chunks: lay.AllChunks(), Dst: make([]float32, 5), Before: reader})
			require.NoError(t, err)
		}
		require.Equal(t, fork, reader)
	}
}

func forkOfOneChunkIsNamed(t *testing.T, l ledger.Ledger) {
	lay, ctx := layoutOf(l, 5, 2, 4), t.Context()
	commit(t, l, lay, 0)
	chain := slices.Clone(Chain(lay, 1))
	chain[1] = lay.Genesis()[0]
	foreign, root := chain[1], Partial(lay, 1, tree.Root)
	_, _, err := l.Append(ctx, lay, ledger.LogWrite{Step: 1, Chunks: lay.AllChunks(), Root: root, Residual: Residual(lay, root), Before: chain})
	require.NoError(t, err)
	requireForked(t, l, lay, 1, Chain(lay, 1), foreign, 1)
}

// rollbackIsNamed tests a ledger that goes back to an old snapshot. If it then gets the
// same steps again, no reader fails. If it gets other steps, a reader that was further on
// notices.
func rollbackIsNamed(t *testing.T, l ledger.Ledger) {
	for _, chunk := range []int{2, 10} {
		for _, same := range []bool{true, false} {
			lay, ctx := layoutOf(l, 5, chunk, 4), t.Context()
			for step := range int64(4) {
				commit(t, l, lay, step)
			}
			newer, root := Chain(lay, 4), Partial
			if !same {
				root = func(lay ledger.Layout, step int64, _ tree.Node) ledger.Partial { return another(lay, step) }
			}
			require.NoError(t, l.Delete(ctx, lay))
			require.NoError(t, Begin(ctx, l, lay, snapshotOf(lay, 2, 1)))
			chain, before := Chain(lay, 2), ledger.Link{}
			for step := int64(2); step < 5; step++ {
				before = chain[0]
				r := root(lay, step, tree.Root)
				committed, after, err := l.Append(ctx, lay, ledger.LogWrite{Step: step, Chunks: lay.AllChunks(), Root: r, Residual: Residual(lay, r), Before: chain})
				require.NoError(t, err)
				require.True(t, committed)
				chain = after
			}
			if !same {
				requireForked(t, l, lay, 4, newer, before, 0)
				continue
			}
			_, after, err := l.Root(ctx, lay, ledger.LogRead{Step: 4, Chunks: lay.AllChunks(), Dst: make([]float32, 5), Before: newer})
			require.NoError(t, err)
			require.Equal(t, chain, after)
		}
	}
}

// foreignEntryIsNamed tests an entry that was made for another job with another plan,
// though its root is the same.
func foreignEntryIsNamed(t *testing.T, l ledger.Ledger) {
	for _, chunk := range []int{2, 10} {
		lay, ctx := layoutOf(l, 5, chunk, 4), t.Context()
		other := lay
		other.Plan = "another plan"
		commit(t, l, lay, 0)
		chain, root := Chain(other, 1), Partial(lay, 1, tree.Root)
		foreign := chain[0]
		_, _, err := l.Append(ctx, lay, ledger.LogWrite{Step: 1, Chunks: lay.AllChunks(), Root: root, Residual: Residual(lay, root), Before: chain})
		require.NoError(t, err)
		requireForked(t, l, lay, 1, Chain(lay, 1), foreign, 0)
	}
}

// foreignSnapshotIsNamed tests a snapshot of another history: the first step that a reader
// folds after it shows the difference.
func foreignSnapshotIsNamed(t *testing.T, l ledger.Ledger) {
	lay, ctx := layoutOf(l, 5, 2, 4), t.Context()
	for step := range int64(3) {
		commit(t, l, lay, step)
	}
	s := snapshotOf(lay, 2, 1)
	s.Chain = slices.Clone(s.Chain)
	s.Chain[1] = lay.Genesis()[1]
	require.NoError(t, l.PutSnapshot(ctx, lay, s))
	require.ErrorIs(t, l.PutSnapshot(ctx, lay, snapshotOf(lay, 2, 1)), job.ErrCorrupt, "the same vectors, another history")
	_, chain, err := l.Snapshot(ctx, lay, snapshotVectors(lay, 1))
	require.NoError(t, err)
	require.Equal(t, s.Chain, chain)
	requireForked(t, l, lay, 2, chain, Chain(lay, 2)[1], 1)
}
