package ledgertest

import (
	"math"
	"testing"

	"github.com/stretchr/testify/require"

	"tributary/shared/job"
	"tributary/shared/ledger"
	"tributary/shared/tree"
)

// batchSums returns the sums of the steps from … to-1.
func batchSums(lay ledger.Layout, from, to int64) []ledger.Sums {
	var sums []ledger.Sums
	for step := from; step < to; step++ {
		sums = append(sums, Partial(lay, step, tree.Root).Sums)
	}
	return sums
}

// batchCommit tests that a batch commit has the same result as appending the steps and
// trimming them by a snapshot.
func batchCommit(t *testing.T, l ledger.Ledger) {
	for _, chunk := range []int{3, 100} {
		lay, ctx := layoutOf(l, 7, chunk, 2), t.Context()
		require.NoError(t, l.CommitBatch(ctx, lay, ledger.BatchCommit{From: 0, Sums: batchSums(lay, 0, 2), Snapshot: snapshotOf(lay, 2, 2)}), "the ledger may be new")
		require.True(t, commit(t, l, lay, 2))
		put(t, l, lay, 4, 2) // a late partial
		for range 2 {
			require.NoError(t, l.CommitBatch(ctx, lay, ledger.BatchCommit{From: 3, Sums: batchSums(lay, 3, 6), Snapshot: snapshotOf(lay, 6, 2)}))
			requireState(t, l, lay, ledger.State{Committed: 6, Snapshot: 6, Floor: 6})
			requireSnapshot(t, l, lay, 6, 2)
			requireLosses(t, l, lay, 0, 6)
		}
		for step := range int64(6) {
			requireError(t, l, lay, step, job.ErrStale)
			requireArrived(t, l, lay, step)
			require.False(t, commit(t, l, lay, step), "a straggler's root")
		}
		require.NoError(t, l.PutSnapshot(ctx, lay, snapshotOf(lay, 6, 2)))
		require.True(t, commit(t, l, lay, 6))
		requireRoot(t, l, lay, 6)
		require.NoError(t, l.CommitBatch(ctx, lay, ledger.BatchCommit{From: 3, Sums: batchSums(lay, 3, 6), Snapshot: snapshotOf(lay, 6, 2)}), "a repetition that is late")
		requireState(t, l, lay, ledger.State{Committed: 7, Snapshot: 6, Floor: 6})
		requireLosses(t, l, lay, 0, 7)
	}
}

// batchFromElsewhere tests that a batch that does not begin at the ledger's next step
// changes nothing.
func batchFromElsewhere(t *testing.T, l ledger.Ledger) {
	lay, ctx := layoutOf(l, 7, 3, 2), t.Context()
	commit(t, l, lay, 0)
	commit(t, l, lay, 1)
	for _, at := range [][2]int64{{0, 2}, {1, 4}, {3, 4}} {
		require.ErrorIs(t, l.CommitBatch(ctx, lay, ledger.BatchCommit{From: at[0], Sums: batchSums(lay, at[0], at[1]), Snapshot: snapshotOf(lay, at[1], 1)}), job.ErrStale, "%v", at)
		requireState(t, l, lay, ledger.State{Committed: 2})
		requireLosses(t, l, lay, 0, 2)
	}
	require.NoError(t, l.CommitBatch(ctx, lay, ledger.BatchCommit{From: 2, Sums: batchSums(lay, 2, 4), Snapshot: snapshotOf(lay, 4, 1)}))
	other := snapshotOf(lay, 4, 1)
	other.Vectors[0][6]++
	require.ErrorIs(t, l.CommitBatch(ctx, lay, ledger.BatchCommit{From: 2, Sums: batchSums(lay, 2, 4), Snapshot: other}), job.ErrCorrupt)
	other.Vectors[0][6] = float32(math.NaN())
	require.ErrorIs(t, l.CommitBatch(ctx, lay, ledger.BatchCommit{From: 2, Sums: batchSums(lay, 2, 4), Snapshot: other}), job.ErrCorrupt)
	requireSnapshot(t, l, lay, 4, 1)
	requireLosses(t, l, lay, 0, 4)
}

// batchNeedsItsMarks tests that a ledger refuses a batch when it has lost the batch's
// marks: then it has lost everything, and the batch does not belong to it, even if it is at
// the same step.
func batchNeedsItsMarks(t *testing.T, l ledger.Ledger) {
	lay, ctx := layoutOf(l, 7, 3, 2), t.Context()
	go4 := func(marked ...string) error {
		return l.CommitBatch(ctx, lay, ledger.BatchCommit{From: 0, Sums: batchSums(lay, 0, 4), Snapshot: snapshotOf(lay, 4, 1), Marks: marked})
	}
	require.ErrorIs(t, go4("0-4"), job.ErrStale)
	_, err := l.PutEvaluation(ctx, lay, ledger.History, "0-4", []byte("marks"))
	require.NoError(t, err)
	require.ErrorIs(t, go4("0-4", "4-5"), job.ErrStale)
	requireState(t, l, lay, ledger.State{})
	require.NoError(t, go4("0-4"))
	requireState(t, l, lay, ledger.State{Committed: 4, Snapshot: 4, Floor: 4})
	require.NoError(t, l.DropEvaluations(ctx, lay, ledger.History))
	require.NoError(t, go4("0-4"), "a repetition")
}

// batchFindsLaterSteps tests that a batch commits complete steps after it too, and
// discards the chunks of steps within it.
func batchFindsLaterSteps(t *testing.T, l ledger.Ledger) {
	for _, chunk := range []int{3, 100} {
		lay, ctx := layoutOf(l, 7, chunk, 2), t.Context()
		require.False(t, commit(t, l, lay, 2))
		require.False(t, commit(t, l, lay, 5))
		require.False(t, commit(t, l, lay, 4))
		require.NoError(t, l.CommitBatch(ctx, lay, ledger.BatchCommit{From: 0, Sums: batchSums(lay, 0, 4), Snapshot: snapshotOf(lay, 4, 1)}))
		requireState(t, l, lay, ledger.State{Committed: 6, Snapshot: 4, Floor: 4})
		requireRoot(t, l, lay, 5)
		requireLosses(t, l, lay, 0, 6)
	}
}

// largestBatch tests a batch of MaxBatch steps.
func largestBatch(t *testing.T, l ledger.Ledger) {
	lay, ctx := layoutOf(l, 1, 1, 1), t.Context()
	sums := batchSums(lay, 0, ledger.MaxBatch+1)
	s := ledger.Snapshot{Step: ledger.MaxBatch, Vectors: [][]float32{{1}}, Chain: lay.Genesis()}
	require.NoError(t, l.CommitBatch(ctx, lay, ledger.BatchCommit{From: 0, Sums: sums[:ledger.MaxBatch], Snapshot: s}))
	losses, err := l.Losses(ctx, lay, 0, ledger.MaxBatch)
	require.NoError(t, err)
	require.Len(t, losses, ledger.MaxBatch)
	for i, p := range losses {
		require.Equal(t, ledger.Progress{Step: int64(i), Sums: sums[i]}, p)
	}
	s.Step = 2*ledger.MaxBatch + 1
	require.ErrorIs(t, l.CommitBatch(ctx, lay, ledger.BatchCommit{From: ledger.MaxBatch, Sums: sums, Snapshot: s}), job.ErrInvalid, "one more")
	s.Step--
	require.ErrorIs(t, l.CommitBatch(ctx, lay, ledger.BatchCommit{From: ledger.MaxBatch, Sums: sums[:3], Snapshot: s}), job.ErrInvalid, "too few sums")
}
