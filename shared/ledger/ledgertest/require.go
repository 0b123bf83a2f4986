package ledgertest

import (
	"context"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"tributary/shared/ledger"
	"tributary/shared/tree"
)

// put stores the right partial of a node. It checks the values in the arrivals, and removes
// them from the result.
func put(t *testing.T, l ledger.Ledger, lay ledger.Layout, step int64, node tree.Node) []ledger.Arrival {
	t.Helper()
	arrivals, err := l.Put(t.Context(), lay, step, node, Partial(lay, step, node))
	require.NoError(t, err)
	for c := range arrivals {
		for i, v := range arrivals[c].Values {
			want := ledger.Partial{}
			if n := arrivals[c].Cover[i]; n != node {
				want = Partial(lay, step, n)
				lo, hi := lay.Chunk(c)
				want.Gradient = want.Gradient[lo:hi]
			}
			require.Equal(t, want, v)
		}
		arrivals[c].Values = nil
	}
	return arrivals
}

// commit appends the right root of a step, with all chunks.
func commit(t *testing.T, l ledger.Ledger, lay ledger.Layout, step int64) bool {
	t.Helper()
	root := Partial(lay, step, tree.Root)
	committed, _, err := l.Append(t.Context(), lay, ledger.LogWrite{Step: step, Chunks: lay.AllChunks(), Root: root, Residual: Residual(lay, root), Before: Chain(lay, step)})
	require.NoError(t, err)
	return committed
}

func requireState(t *testing.T, l ledger.Ledger, lay ledger.Layout, want ledger.State) {
	t.Helper()
	got, err := l.State(t.Context(), lay)
	require.NoError(t, err)
	require.Equal(t, want, got)
}

func requireArrived(t *testing.T, l ledger.Ledger, lay ledger.Layout, step int64, want ...tree.Node) {
	t.Helper()
	got, err := l.Arrived(t.Context(), lay, step)
	require.NoError(t, err)
	require.Equal(t, want, got)
}

func requirePartial(t *testing.T, l ledger.Ledger, lay ledger.Layout, step int64, node tree.Node) {
	t.Helper()
	got := ledger.Partial{Gradient: make([]float32, lay.Params)}
	var err error
	got.Sums, err = l.Partial(t.Context(), lay, ledger.PartialRead{Step: step, Node: node, Chunks: lay.AllChunks(), Dst: got.Gradient})
	require.NoError(t, err)
	require.Equal(t, Partial(lay, step, node), got)
}

func requireRoot(t *testing.T, l ledger.Ledger, lay ledger.Layout, step int64) {
	t.Helper()
	checkRoot(t.Context(), t, l, lay, step)
}

func checkRoot(ctx context.Context, t require.TestingT, l ledger.Ledger, lay ledger.Layout, step int64) {
	got := ledger.Partial{Gradient: make([]float32, lay.Params)}
	var err error
	var chain ledger.Chain
	got.Sums, chain, err = l.Root(ctx, lay, ledger.LogRead{Step: step, Chunks: lay.AllChunks(), Dst: got.Gradient, Before: Chain(lay, step)})
	require.NoError(t, err)
	require.Equal(t, Chain(lay, step+1), chain)
	require.Equal(t, Partial(lay, step, tree.Root), got)
}

// requireRootChunks reads each chunk alone. It checks that only its place and only its link
// change.
func requireRootChunks(t *testing.T, l ledger.Ledger, lay ledger.Layout, step int64) {
	t.Helper()
	before, after, root := Chain(lay, step), Chain(lay, step+1), Partial(lay, step, tree.Root)
	for c := range lay.Chunks() {
		want, chain := make([]float32, lay.Params), slices.Clone(before)
		lo, hi := lay.Chunk(c)
		copy(want[lo:hi], root.Gradient[lo:hi])
		chain[c] = after[c]
		got := make([]float32, lay.Params)
		sums, read, err := l.Root(t.Context(), lay, ledger.LogRead{Step: step, Chunks: []int{c}, Dst: got, Before: before})
		require.NoError(t, err)
		require.Equal(t, root.Sums, sums)
		require.Equal(t, want, got)
		require.Equal(t, chain, read)
	}
}

func requireError(t *testing.T, l ledger.Ledger, lay ledger.Layout, step int64, class error) {
	t.Helper()
	_, _, err := l.Root(t.Context(), lay, ledger.LogRead{Step: step, Chunks: lay.AllChunks(), Dst: make([]float32, lay.Params), Before: lay.Genesis()})
	require.ErrorIs(t, err, class)
}

// vectors returns n vectors of p zeros.
func vectors(n, p int) [][]float32 {
	vs := make([][]float32, n)
	for i := range vs {
		vs[i] = make([]float32, p)
	}
	return vs
}

// snapshotVectors returns the vectors for a snapshot of n vectors, plus the residual with a
// lossy wire.
func snapshotVectors(lay ledger.Layout, n int) [][]float32 {
	if lay.Wire.Lossy() {
		n++
	}
	return vectors(n, lay.Params)
}

// snapshotOf returns a snapshot of n vectors, plus the residual with a lossy wire. Each
// value identifies its step, vector and place.
func snapshotOf(lay ledger.Layout, step int64, n int) ledger.Snapshot {
	s := ledger.Snapshot{Step: step, Vectors: snapshotVectors(lay, n), Chain: Chain(lay, step)}
	for i, v := range s.Vectors {
		for j := range v {
			v[j] = float32(step)*1000 + float32(i)*100 + float32(j)
		}
	}
	return s
}

func requireSnapshot(t *testing.T, l ledger.Ledger, lay ledger.Layout, step int64, n int) {
	t.Helper()
	got := ledger.Snapshot{Vectors: snapshotVectors(lay, n)}
	var err error
	got.Step, got.Chain, err = l.Snapshot(t.Context(), lay, got.Vectors)
	require.NoError(t, err)
	require.Equal(t, snapshotOf(lay, step, n), got)
}
