package ledgertest

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/sync/errgroup"

	"tributary/shared/job"
	"tributary/shared/ledger"
	"tributary/shared/tree"
)

func snapshot(t *testing.T, l ledger.Ledger) {
	for _, chunk := range []int{3, 100} {
		for _, n := range []int{1, 3} {
			lay, ctx := layoutOf(l, 10, chunk, 2), t.Context()
			commit(t, l, lay, 0)
			commit(t, l, lay, 1)
			for range 2 {
				require.NoError(t, l.PutSnapshot(ctx, lay, snapshotOf(lay, 2, n)))
				requireSnapshot(t, l, lay, 2, n)
				requireState(t, l, lay, ledger.State{Committed: 2, Snapshot: 2, Floor: 2})
			}
			_, _, err := l.Snapshot(ctx, lay, snapshotVectors(lay, n+1))
			require.ErrorIs(t, err, job.ErrCorrupt, "another number of vectors than was stored")
		}
	}
}

func snapshotTrims(t *testing.T, l ledger.Ledger) {
	for _, chunk := range []int{3, 100} {
		lay, ctx := layoutOf(l, 10, chunk, 2), t.Context()
		for step := range int64(6) {
			commit(t, l, lay, step)
		}
		require.NoError(t, l.PutSnapshot(ctx, lay, snapshotOf(lay, 4, 2)))
		requireState(t, l, lay, ledger.State{Committed: 6, Snapshot: 4, Floor: 4})
		for step := range int64(4) {
			requireError(t, l, lay, step, job.ErrStale)
			require.False(t, commit(t, l, lay, step), "a straggler's root")
			requireError(t, l, lay, step, job.ErrStale)
			for _, a := range put(t, l, lay, step, 2) {
				require.Equal(t, ledger.Arrival{Committed: true}, a)
			}
			requireArrived(t, l, lay, step)
		}
		requireRoot(t, l, lay, 4)
		requireRoot(t, l, lay, 5)
		requireError(t, l, lay, 6, job.ErrNotFound)
		require.True(t, commit(t, l, lay, 6))
		require.NoError(t, l.PutSnapshot(ctx, lay, snapshotOf(lay, 7, 2)))
		requireState(t, l, lay, ledger.State{Committed: 7, Snapshot: 7, Floor: 7})
		requireError(t, l, lay, 6, job.ErrStale)
		requireSnapshot(t, l, lay, 7, 2)
		requireLosses(t, l, lay, 0, 7)
	}
}

// snapshotAtZero tests that the initial parameters can be stored as a snapshot.
func snapshotAtZero(t *testing.T, l ledger.Ledger) {
	lay := layoutOf(l, 4, 3, 2)
	require.NoError(t, l.PutSnapshot(t.Context(), lay, snapshotOf(lay, 0, 1)))
	requireSnapshot(t, l, lay, 0, 1)
	requireState(t, l, lay, ledger.State{})
	require.True(t, commit(t, l, lay, 0))
	requireRoot(t, l, lay, 0)
}

func olderSnapshot(t *testing.T, l ledger.Ledger) {
	lay, ctx := layoutOf(l, 4, 3, 2), t.Context()
	for step := range int64(5) {
		commit(t, l, lay, step)
	}
	require.NoError(t, l.PutSnapshot(ctx, lay, snapshotOf(lay, 4, 1)))
	require.NoError(t, l.PutSnapshot(ctx, lay, snapshotOf(lay, 2, 1)))
	requireSnapshot(t, l, lay, 4, 1)
	requireState(t, l, lay, ledger.State{Committed: 5, Snapshot: 4, Floor: 4})
}

func differingSnapshot(t *testing.T, l ledger.Ledger) {
	lay, ctx := layoutOf(l, 4, 3, 2), t.Context()
	commit(t, l, lay, 0)
	require.NoError(t, l.PutSnapshot(ctx, lay, snapshotOf(lay, 1, 2)))
	other := snapshotOf(lay, 1, 2)
	other.Vectors[1][3]++
	require.ErrorIs(t, l.PutSnapshot(ctx, lay, other), job.ErrCorrupt)
	requireSnapshot(t, l, lay, 1, 2)
}

// beginAgain tests that a ledger that has lost everything, or some of it, continues from a
// checkpoint. It does not lose complete steps that were appended early.
func beginAgain(t *testing.T, l ledger.Ledger) {
	for _, chunk := range []int{3, 100} {
		lay, ctx := layoutOf(l, 7, chunk, 2), t.Context()
		commit(t, l, lay, 0)
		root := Partial(lay, 1, tree.Root)
		if chunk == 3 {
			_, _, err := l.Append(ctx, lay, ledger.LogWrite{Step: 1, Chunks: []int{1}, Root: root, Residual: Residual(lay, root), Before: Chain(lay, 1)})
			require.NoError(t, err)
		}
		require.False(t, commit(t, l, lay, 11))
		require.False(t, commit(t, l, lay, 10))
		require.ErrorIs(t, l.PutSnapshot(ctx, lay, snapshotOf(lay, 10, 1)), job.ErrStale, "it does not begin by itself")
		requireState(t, l, lay, ledger.State{Committed: 1})
		_, _, err := l.Snapshot(ctx, lay, snapshotVectors(lay, 1))
		require.ErrorIs(t, err, job.ErrNotFound)
		requireLosses(t, l, lay, 0, 1)
		require.ErrorIs(t, l.Begin(ctx, lay, snapshotOf(lay, 10, 1)), job.ErrStale, "losses of its steps are not there")
		requireState(t, l, lay, ledger.State{Committed: 1})
		require.NoError(t, Begin(ctx, l, lay, snapshotOf(lay, 10, 1)))
		requireState(t, l, lay, ledger.State{Committed: 12, Snapshot: 10, Floor: 10})
		requireError(t, l, lay, 9, job.ErrStale)
		requireRoot(t, l, lay, 11)
		require.True(t, commit(t, l, lay, 12))
		requireLosses(t, l, lay, 10, 13)
	}
}

// Begin starts a ledger as a restored checkpoint does: it stores the losses first.
func Begin(ctx context.Context, l ledger.Ledger, lay ledger.Layout, s ledger.Snapshot) error {
	if _, err := l.PutEvaluation(ctx, lay, ledger.Earlier, fmt.Sprint("0-", s.Step), []byte("losses")); err != nil {
		return err
	}
	return l.Begin(ctx, lay, s)
}

// snapshotReplaced tests that a reader gets one whole snapshot, never parts of two.
func snapshotReplaced(t *testing.T, l ledger.Ledger) {
	const last, n = 30, 3
	lay := layoutOf(l, 40, 7, 2)
	require.NoError(t, l.PutSnapshot(t.Context(), lay, snapshotOf(lay, 0, n)))
	group, ctx := errgroup.WithContext(t.Context())
	group.Go(func() error {
		for step := int64(1); step <= last; step++ {
			if err := Begin(ctx, l, lay, snapshotOf(lay, step, n)); err != nil {
				return err
			}
		}
		return nil
	})
	for range 3 {
		group.Go(func() error {
			vs := snapshotVectors(lay, n)
			for before := int64(0); before < last; {
				step, chain, err := l.Snapshot(ctx, lay, vs)
				if err != nil {
					return err
				}
				if step < before {
					return fmt.Errorf("snapshot %d after %d", step, before)
				}
				want := snapshotOf(lay, step, n)
				if !slices.Equal(chain, want.Chain) {
					return errors.New("the chain of another snapshot")
				}
				for i, v := range want.Vectors {
					for j := range v {
						if vs[i][j] != v[j] {
							return errors.New("parts of two snapshots")
						}
					}
				}
				before = step
			}
			return nil
		})
	}
	require.NoError(t, group.Wait())
}
