package ledgertest

import (
	"testing"

	"github.com/stretchr/testify/require"

	"tributary/shared/job"
	"tributary/shared/ledger"
	"tributary/shared/tree"
)

// appendWithoutPut tests that a root may be appended without any partials.
func appendWithoutPut(t *testing.T, l ledger.Ledger) {
	for _, chunk := range []int{2, 10} {
		lay := layoutOf(l, 5, chunk, 4)
		put(t, l, lay, 0, 4)
		for step := range int64(3) {
			require.True(t, commit(t, l, lay, step))
			requireRoot(t, l, lay, step)
			requireArrived(t, l, lay, step)
			for _, a := range put(t, l, lay, step, 5) {
				require.True(t, a.Committed)
			}
			requireState(t, l, lay, ledger.State{Committed: step + 1})
			requireError(t, l, lay, step+1, job.ErrNotFound)
		}
	}
}

func appendIsIdempotent(t *testing.T, l ledger.Ledger) {
	for _, chunk := range []int{2, 10} {
		lay := layoutOf(l, 5, chunk, 4)
		require.True(t, commit(t, l, lay, 0))
		require.False(t, commit(t, l, lay, 0), "only one call commits a step")
		require.True(t, commit(t, l, lay, 1))
		require.False(t, commit(t, l, lay, 0))
		requireState(t, l, lay, ledger.State{Committed: 2})
		requireLosses(t, l, lay, 0, 2)
	}
}

func differingRoot(t *testing.T, l ledger.Ledger) {
	for _, chunk := range []int{2, 10} {
		lay := layoutOf(l, 5, chunk, 4)
		commit(t, l, lay, 0)
		root := Partial(lay, 0, tree.Root)
		alter(lay, root.Gradient, lay.Chunks()-1)
		_, _, err := l.Append(t.Context(), lay, ledger.LogWrite{Step: 0, Chunks: lay.AllChunks(), Root: root, Residual: Residual(lay, root), Before: lay.Genesis()})
		require.ErrorIs(t, err, job.ErrCorrupt)
		root = Partial(lay, 0, tree.Root)
		root.Sums.Loss = 1e9
		_, _, err = l.Append(t.Context(), lay, ledger.LogWrite{Step: 0, Chunks: lay.AllChunks(), Root: root, Residual: Residual(lay, root), Before: lay.Genesis()})
		require.ErrorIs(t, err, job.ErrCorrupt)
		requireRoot(t, l, lay, 0)
		requireState(t, l, lay, ledger.State{Committed: 1})
		requireLosses(t, l, lay, 0, 1)
	}
}

// chunkByChunk tests that exactly the call that appends the last chunk commits the step.
func chunkByChunk(t *testing.T, l ledger.Ledger) {
	lay, ctx := layoutOf(l, 9, 2, 4), t.Context()
	for step := range int64(2) {
		root := Partial(lay, step, tree.Root)
		for _, c := range []struct {
			chunks []int
			want   bool
		}{{[]int{3}, false}, {[]int{0, 4}, false}, {[]int{0, 3}, false}, {[]int{2}, false}, {[]int{0, 1, 2}, true}} {
			requireState(t, l, lay, ledger.State{Committed: step})
			committed, _, err := l.Append(ctx, lay, ledger.LogWrite{Step: step, Chunks: c.chunks, Root: root, Residual: Residual(lay, root), Before: Chain(lay, step)})
			require.NoError(t, err)
			require.Equal(t, c.want, committed, "step %d, chunks %v", step, c.chunks)
			if !committed {
				requireError(t, l, lay, step, job.ErrNotFound)
			}
		}
		requireRoot(t, l, lay, step)
	}
	requireState(t, l, lay, ledger.State{Committed: 2})
	requireLosses(t, l, lay, 0, 2)
}

// stepsCommitInOrder tests that roots that come early wait for the steps before them.
func stepsCommitInOrder(t *testing.T, l ledger.Ledger) {
	for _, chunk := range []int{2, 10} {
		lay := layoutOf(l, 5, chunk, 2)
		require.False(t, commit(t, l, lay, 2))
		require.False(t, commit(t, l, lay, 1))
		require.False(t, commit(t, l, lay, 4))
		requireState(t, l, lay, ledger.State{})
		requireError(t, l, lay, 1, job.ErrNotFound)
		require.True(t, commit(t, l, lay, 0))
		requireState(t, l, lay, ledger.State{Committed: 3})
		for step := range int64(3) {
			requireRoot(t, l, lay, step)
		}
		requireError(t, l, lay, 4, job.ErrNotFound)
		require.True(t, commit(t, l, lay, 3))
		requireState(t, l, lay, ledger.State{Committed: 5})
		requireLosses(t, l, lay, 0, 5)
	}
}

func losses(t *testing.T, l ledger.Ledger) {
	lay, ctx := layoutOf(l, 2, 2, 2), t.Context()
	for step := range int64(8) {
		commit(t, l, lay, step)
	}
	for _, r := range [][2]int64{{0, 8}, {0, 1}, {3, 6}, {7, 8}, {5, 5}, {6, 100}, {8, 9}, {100, 200}} {
		got, err := l.Losses(ctx, lay, r[0], r[1])
		require.NoError(t, err)
		require.Equal(t, wantLosses(lay, r[0], min(r[1], 8)), got, "%v", r)
	}
	require.NoError(t, l.PutSnapshot(ctx, lay, snapshotOf(lay, 5, 1)))
	requireLosses(t, l, lay, 0, 8)
}

func wantLosses(lay ledger.Layout, from, to int64) []ledger.Progress {
	var want []ledger.Progress
	for step := from; step < to; step++ {
		want = append(want, ledger.Progress{Step: step, Sums: Partial(lay, step, tree.Root).Sums})
	}
	return want
}

// requireLosses reads all losses and checks that they are those of the steps from … to-1.
func requireLosses(t *testing.T, l ledger.Ledger, lay ledger.Layout, from, to int64) {
	t.Helper()
	got, err := l.Losses(t.Context(), lay, 0, 1<<40)
	require.NoError(t, err)
	require.Equal(t, wantLosses(lay, from, to), got)
}
