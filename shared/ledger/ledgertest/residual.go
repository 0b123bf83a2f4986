package ledgertest

import (
	"testing"

	"github.com/stretchr/testify/require"

	"tributary/shared/job"
	"tributary/shared/ledger"
	"tributary/shared/tree"
	"tributary/shared/wire"
)

// requireResidual reads each chunk of the residual alone, and checks that only its place
// changes.
func requireResidual(t *testing.T, l ledger.Ledger, lay ledger.Layout, step int64, want []float32) {
	t.Helper()
	got := make([]float32, lay.Params)
	for i := range got {
		got[i] = 7
	}
	for c := range lay.Chunks() {
		require.NoError(t, l.Residual(t.Context(), lay, ledger.LogRead{Step: step, Chunks: []int{c}, Dst: got, Before: Chain(lay, step)}))
	}
	require.Equal(t, want, got)
	require.NoError(t, l.Residual(t.Context(), lay, ledger.LogRead{Step: step, Chunks: lay.AllChunks(), Dst: got, Before: Chain(lay, step)}))
	require.Equal(t, want, got)
}

func residualAfter(lay ledger.Layout, step int64) []float32 {
	return Residual(lay, Partial(lay, step, tree.Root))
}

// residuals tests where a residual comes from: from the entry of the step before while the
// log has it, and then from the snapshot after exactly that many steps.
func residuals(t *testing.T, l ledger.Ledger) {
	for _, chunk := range []int{3, 100} {
		lay, ctx := layoutOf(l, 10, chunk, 2), t.Context()
		dst := make([]float32, 10)
		if !lay.Wire.Lossy() {
			require.ErrorIs(t, l.Residual(ctx, lay, ledger.LogRead{Step: 0, Chunks: lay.AllChunks(), Dst: dst, Before: lay.Genesis()}), job.ErrInvalid)
			continue
		}
		class := func(step int64, class error) {
			t.Helper()
			require.ErrorIs(t, l.Residual(ctx, lay, ledger.LogRead{Step: step, Chunks: lay.AllChunks(), Dst: dst, Before: Chain(lay, step)}), class)
		}
		requireResidual(t, l, lay, 0, make([]float32, 10))
		class(1, job.ErrNotFound)
		for step := range int64(5) {
			commit(t, l, lay, step)
			requireResidual(t, l, lay, step+1, residualAfter(lay, step))
		}
		class(6, job.ErrNotFound)
		require.ErrorIs(t, l.Residual(ctx, lay, ledger.LogRead{Step: 2, Chunks: lay.AllChunks(), Dst: dst, Before: Chain(lay, 1)}), job.ErrCorrupt, "of another history")

		snap := snapshotOf(lay, 3, 2)
		require.NoError(t, l.PutSnapshot(ctx, lay, snap))
		class(1, job.ErrStale)
		class(2, job.ErrStale)
		requireResidual(t, l, lay, 0, make([]float32, 10))
		requireResidual(t, l, lay, 3, snap.Vectors[2])
		requireResidual(t, l, lay, 4, residualAfter(lay, 3))
		require.ErrorIs(t, l.Residual(ctx, lay, ledger.LogRead{Step: 3, Chunks: lay.AllChunks(), Dst: dst, Before: Chain(lay, 2)}), job.ErrCorrupt, "of another history")
		require.False(t, commit(t, l, lay, 1), "a straggler's root")
		class(2, job.ErrStale)

		require.NoError(t, Begin(ctx, l, lay, snapshotOf(lay, 9, 1)))
		class(3, job.ErrStale)
		class(5, job.ErrStale)
		class(10, job.ErrNotFound)
		requireResidual(t, l, lay, 9, snapshotOf(lay, 9, 1).Vectors[1])
		commit(t, l, lay, 9)
		requireResidual(t, l, lay, 10, residualAfter(lay, 9))
		require.NoError(t, l.Delete(ctx, lay))
		class(10, job.ErrNotFound)
	}
}

func differingResidual(t *testing.T, l ledger.Ledger) {
	for _, chunk := range []int{3, 100} {
		lay, ctx := layoutOf(l, 10, chunk, 2), t.Context()
		root := Partial(lay, 0, tree.Root)
		wrong := make([]float32, 10)
		if !lay.Wire.Lossy() {
			_, _, err := l.Append(ctx, lay, ledger.LogWrite{Step: 0, Chunks: lay.AllChunks(), Root: root, Residual: wrong, Before: lay.Genesis()})
			require.ErrorIs(t, err, job.ErrInvalid, "there is none")
			continue
		}
		for _, bad := range [][]float32{nil, wrong[1:]} {
			_, _, err := l.Append(ctx, lay, ledger.LogWrite{Step: 0, Chunks: lay.AllChunks(), Root: root, Residual: bad, Before: lay.Genesis()})
			require.ErrorIs(t, err, job.ErrInvalid)
		}
		commit(t, l, lay, 0)
		_, _, err := l.Append(ctx, lay, ledger.LogWrite{Step: 0, Chunks: lay.AllChunks(), Root: root, Residual: wrong, Before: lay.Genesis()})
		require.ErrorIs(t, err, job.ErrCorrupt)
		requireResidual(t, l, lay, 1, residualAfter(lay, 0))
	}
}

// unrounded tests that a ledger refuses a value that the wire cannot represent, and does
// not round it.
func unrounded(t *testing.T, l ledger.Ledger) {
	for _, chunk := range []int{3, 100} {
		lay, ctx := layoutOf(l, 10, chunk, 2), t.Context()
		if lay.Wire == (wire.Format{}) {
			continue // this wire represents every value
		}
		p := Partial(lay, 0, 2)
		p.Gradient[9] = 1 + 0x1p-20
		_, err := l.Put(ctx, lay, 0, 2, p)
		require.ErrorIs(t, err, job.ErrInvalid)
		requireArrived(t, l, lay, 0)
		root := Partial(lay, 0, tree.Root)
		for i := range root.Gradient {
			root.Gradient[i] = 1 + float32(i)*0x1p-20
		}
		_, _, err = l.Append(ctx, lay, ledger.LogWrite{Step: 0, Chunks: lay.AllChunks(), Root: root, Residual: Residual(lay, root), Before: lay.Genesis()})
		require.ErrorIs(t, err, job.ErrInvalid)
		requireState(t, l, lay, ledger.State{})
		requireError(t, l, lay, 0, job.ErrNotFound)
	}
}
