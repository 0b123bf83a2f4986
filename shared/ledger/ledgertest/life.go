package ledgertest

import (
	"context"
	"testing"

	"github.com/stretchr/testify/require"

	"tributary/shared/job"
	"tributary/shared/ledger"
	"tributary/shared/tree"
	"tributary/shared/wire"
)

func evaluations(t *testing.T, l ledger.Ledger) {
	lay, ctx := layoutOf(l, 4, 2, 2), t.Context()
	results := map[string][]byte{"validation/0": {1, 0, 255}, "validation/1": {}, "test/0": []byte("x")}
	stored := 0
	for unit, result := range results {
		stored++
		for range 2 {
			n, err := l.PutEvaluation(ctx, lay, 7, unit, result)
			require.NoError(t, err)
			require.Equal(t, stored, n)
		}
		_, err := l.PutEvaluation(ctx, lay, 7, unit, []byte("another"))
		require.ErrorIs(t, err, job.ErrCorrupt)
	}
	n, err := l.PutEvaluation(ctx, lay, 8, "validation/0", []byte("8"))
	require.NoError(t, err)
	require.Equal(t, 1, n)
	got, err := l.Evaluations(ctx, lay, 7)
	require.NoError(t, err)
	require.Equal(t, results, got)
	require.NoError(t, l.DropEvaluations(ctx, lay, 7))
	require.NoError(t, l.DropEvaluations(ctx, lay, 7))
	got, err = l.Evaluations(ctx, lay, 7)
	require.NoError(t, err)
	require.Empty(t, got)
	got, err = l.Evaluations(ctx, lay, 8)
	require.NoError(t, err)
	require.Len(t, got, 1)
}

// fill stores something of every kind for a job.
func fill(t *testing.T, l ledger.Ledger, lay ledger.Layout) {
	t.Helper()
	ctx := t.Context()
	commit(t, l, lay, 0)
	commit(t, l, lay, 1)
	require.NoError(t, l.PutSnapshot(ctx, lay, snapshotOf(lay, 1, 2)))
	put(t, l, lay, 2, 2)
	commit(t, l, lay, 4)
	_, err := l.PutEvaluation(ctx, lay, 1, "validation/0", []byte("x"))
	require.NoError(t, err)
}

func requireFilled(t *testing.T, l ledger.Ledger, lay ledger.Layout) {
	t.Helper()
	requireState(t, l, lay, ledger.State{Committed: 2, Snapshot: 1, Floor: 1})
	requireRoot(t, l, lay, 1)
	requireSnapshot(t, l, lay, 1, 2)
	requireArrived(t, l, lay, 2, 2)
	requireLosses(t, l, lay, 0, 2)
	units, err := l.Evaluations(t.Context(), lay, 1)
	require.NoError(t, err)
	require.Len(t, units, 1)
}

func deleteJob(t *testing.T, l ledger.Ledger) {
	for _, chunk := range []int{2, 10} {
		lay := layoutOf(l, 7, chunk, 2)
		fill(t, l, lay)
		requireFilled(t, l, lay)
		require.NoError(t, l.Delete(t.Context(), lay))
		requireState(t, l, lay, ledger.State{})
		requireError(t, l, lay, 1, job.ErrNotFound)
		_, _, err := l.Snapshot(t.Context(), lay, snapshotVectors(lay, 2))
		require.ErrorIs(t, err, job.ErrNotFound)
		requireArrived(t, l, lay, 2)
		requireLosses(t, l, lay, 0, 0)
		units, err := l.Evaluations(t.Context(), lay, 1)
		require.NoError(t, err)
		require.Empty(t, units)
		require.NoError(t, l.Delete(t.Context(), lay))

		// The caller does not know the job's chunk length any more.
		other := layoutOf(l, 7, chunk, 2)
		fill(t, l, lay)
		fill(t, l, other)
		require.NoError(t, l.Note(t.Context(), lay.Ref, "n", nil))
		require.NoError(t, l.Delete(t.Context(), ledger.Layout{Ref: lay.Ref}))
		requireState(t, l, lay, ledger.State{})
		requireArrived(t, l, lay, 2)
		notes, err := l.Notes(t.Context(), lay.Ref)
		require.NoError(t, err)
		require.Empty(t, notes)
		requireFilled(t, l, other)
		require.NoError(t, l.Delete(t.Context(), other))
	}
}

// foreignPlanIsNamed tests that the first commit binds a ledger to its plan. A reader with
// another plan is refused, even if it would only read a snapshot.
func foreignPlanIsNamed(t *testing.T, l ledger.Ledger) {
	for _, chunk := range []int{2, 10} {
		lay := layoutOf(l, 7, chunk, 2)
		fill(t, l, lay)
		other := lay
		other.Plan = "another"
		_, err := l.State(t.Context(), other)
		require.ErrorIs(t, err, job.ErrCorrupt)
		require.ErrorContains(t, err, "the ledger is of plan plan, not another")
		_, _, err = l.Snapshot(t.Context(), other, snapshotVectors(other, 2))
		require.ErrorIs(t, err, job.ErrCorrupt)
		requireFilled(t, l, lay)
		require.NoError(t, l.Delete(t.Context(), other), "Delete needs the reference alone")
		requireState(t, l, lay, ledger.State{})
	}
}

// journal tests that notes are stored by name, replaced, read in part, erased, and deleted
// with the job.
func journal(t *testing.T, l ledger.Ledger) {
	one, other := Layout(4, 2, 2), Layout(4, 2, 2)
	notes, err := l.Notes(t.Context(), one.Ref)
	require.NoError(t, err)
	require.Empty(t, notes)
	for name, note := range map[string]string{"a": "first", "b": "", "c/d#1": "third"} {
		require.NoError(t, l.Note(t.Context(), one.Ref, name, []byte(note)))
	}
	require.NoError(t, l.Note(t.Context(), one.Ref, "a", []byte("again")))
	require.NoError(t, l.Note(t.Context(), other.Ref, "a", []byte("other")))
	notes, err = l.Notes(t.Context(), one.Ref)
	require.NoError(t, err)
	require.Equal(t, map[string][]byte{"a": []byte("again"), "b": {}, "c/d#1": []byte("third")}, notes)
	notes, err = l.Notes(t.Context(), one.Ref, "none", "a")
	require.NoError(t, err)
	require.Equal(t, map[string][]byte{"a": []byte("again")}, notes)
	require.NoError(t, l.Erase(t.Context(), one.Ref))
	require.NoError(t, l.Erase(t.Context(), one.Ref, "a", "none"))
	notes, err = l.Notes(t.Context(), one.Ref)
	require.NoError(t, err)
	require.Len(t, notes, 2)
	require.NoError(t, l.Delete(t.Context(), one))
	notes, err = l.Notes(t.Context(), one.Ref)
	require.NoError(t, err)
	require.Empty(t, notes)
	notes, err = l.Notes(t.Context(), other.Ref)
	require.NoError(t, err)
	require.Len(t, notes, 1)
	require.NoError(t, l.Delete(t.Context(), other))

	require.ErrorIs(t, l.Note(t.Context(), one.Ref, "", nil), job.ErrInvalid)
	require.ErrorIs(t, l.Note(t.Context(), one.Ref, "n", make([]byte, ledger.MaxNote+1)), job.ErrInvalid)
	require.ErrorIs(t, l.Note(t.Context(), job.Ref{}, "n", nil), job.ErrInvalid)
}

// runsAreApart tests that two incarnations of a job ID, and two IDs with the same
// beginning, share nothing.
func runsAreApart(t *testing.T, l ledger.Ledger) {
	one := layoutOf(l, 7, 2, 2)
	others := []ledger.Layout{one, one, one}
	others[0].Run += "0"
	others[1].Job += "x"
	others[2].Job, others[2].Run = one.Job[:3], one.Run
	fill(t, l, one)
	for _, other := range others {
		requireState(t, l, other, ledger.State{})
		fill(t, l, other)
	}
	require.NoError(t, l.Delete(t.Context(), one))
	for _, other := range others {
		requireFilled(t, l, other)
		require.NoError(t, l.Delete(t.Context(), other))
	}
}

func badArguments(t *testing.T, l ledger.Ledger) {
	good, ctx := layoutOf(l, 4, 2, 2), t.Context()
	p := Partial(good, 0, 1)
	layout := func(change func(*ledger.Layout)) ledger.Layout {
		bad := good
		change(&bad)
		return bad
	}
	for name, bad := range map[string]ledger.Layout{
		"no job":           layout(func(l *ledger.Layout) { l.Job = "" }),
		"no run":           layout(func(l *ledger.Layout) { l.Run = "" }),
		"brace":            layout(func(l *ledger.Layout) { l.Run = "a}b" }),
		"pattern":          layout(func(l *ledger.Layout) { l.Run = "*" }),
		"params":           layout(func(l *ledger.Layout) { l.Params = -1 }),
		"no chunk":         layout(func(l *ledger.Layout) { l.ChunkLen = 0 }),
		"no micro-batch":   layout(func(l *ledger.Layout) { l.Microbatch = 0 }),
		"many micro-batch": layout(func(l *ledger.Layout) { l.Microbatch = tree.MaxLeaves + 1 }),
		"no such wire":     layout(func(l *ledger.Layout) { l.Wire = wire.Format{Encoding: 9} }),
		"nothing kept":     layout(func(l *ledger.Layout) { l.Wire = wire.Format{Encoding: wire.TopK} }),
		"not to be kept":   layout(func(l *ledger.Layout) { l.Wire = wire.Format{Keep: 0.5} }),
	} {
		for call, err := range everyCall(ctx, l, bad, 0, 1, p.Gradient, []int{0}, "u") {
			if name != "no chunk" || call != "Delete" { // Delete needs no chunk length
				require.ErrorIs(t, err, job.ErrInvalid, "%s: %s", name, call)
			}
		}
	}
	for call, err := range everyCall(ctx, l, good, -1, 9, p.Gradient[:3], []int{1, 1}, "") {
		if call != "State" && call != "Delete" {
			require.ErrorIs(t, err, job.ErrInvalid, call)
		}
	}
	for _, chunks := range [][]int{nil, {-1}, {2}, {1, 0}, {0, 0}} {
		_, _, err := l.Append(ctx, good, ledger.LogWrite{Step: 0, Chunks: chunks, Root: p, Residual: Residual(good, p), Before: good.Genesis()})
		require.ErrorIs(t, err, job.ErrInvalid, "%v", chunks)
	}
	require.ErrorIs(t, l.PutSnapshot(ctx, good, ledger.Snapshot{Chain: good.Genesis()}), job.ErrInvalid)
	short := good.Genesis()[1:]
	_, _, err := l.Append(ctx, good, ledger.LogWrite{Step: 0, Chunks: []int{0}, Root: p, Residual: Residual(good, p), Before: short})
	require.ErrorIs(t, err, job.ErrInvalid)
	_, _, err = l.Root(ctx, good, ledger.LogRead{Step: 0, Chunks: good.AllChunks(), Dst: p.Gradient, Before: short})
	require.ErrorIs(t, err, job.ErrInvalid)
	require.ErrorIs(t, l.PutSnapshot(ctx, good, ledger.Snapshot{Vectors: snapshotVectors(good, 1), Chain: short}), job.ErrInvalid)
	_, err = l.PutEvaluation(ctx, good, 0, "u", make([]byte, ledger.MaxResult+1))
	require.ErrorIs(t, err, job.ErrInvalid)
	requireState(t, l, good, ledger.State{})
}

func endedContext(t *testing.T, l ledger.Ledger) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	lay := layoutOf(l, 4, 2, 2)
	for call, err := range everyCall(ctx, l, lay, 0, 1, make([]float32, 4), []int{0}, "u") {
		require.ErrorIs(t, err, context.Canceled, call)
	}
}

// everyCall makes every call once and returns the errors by the name of the call.
func everyCall(ctx context.Context, l ledger.Ledger, lay ledger.Layout, step int64, node tree.Node, v []float32, chunks []int, unit string) map[string]error {
	errs, chain := map[string]error{}, make(ledger.Chain, 2)
	_, errs["State"] = l.State(ctx, lay)
	_, errs["Put"] = l.Put(ctx, lay, step, node, ledger.Partial{Gradient: v})
	_, errs["Arrived"] = l.Arrived(ctx, lay, step)
	_, errs["Partial"] = l.Partial(ctx, lay, ledger.PartialRead{Step: step, Node: node, Chunks: chunks, Dst: v})
	_, _, errs["Append"] = l.Append(ctx, lay, ledger.LogWrite{Step: step, Chunks: chunks, Root: ledger.Partial{Gradient: v}, Residual: Residual(lay, ledger.Partial{Gradient: v}), Before: chain})
	_, _, errs["Root"] = l.Root(ctx, lay, ledger.LogRead{Step: step, Chunks: chunks, Dst: v, Before: chain})
	_, errs["Losses"] = l.Losses(ctx, lay, step, step+1)
	if lay.Wire.Lossy() {
		errs["Residual"] = l.Residual(ctx, lay, ledger.LogRead{Step: step, Chunks: chunks, Dst: v, Before: chain})
	}
	errs["PutSnapshot"] = l.PutSnapshot(ctx, lay, ledger.Snapshot{Step: step, Vectors: [][]float32{v, v}, Chain: chain})
	errs["Begin"] = l.Begin(ctx, lay, ledger.Snapshot{Step: step, Vectors: [][]float32{v, v}, Chain: chain})
	errs["CommitBatch"] = l.CommitBatch(ctx, lay, ledger.BatchCommit{From: step, Sums: make([]ledger.Sums, 1), Snapshot: ledger.Snapshot{Step: step + 1, Vectors: [][]float32{v, v}, Chain: chain}})
	_, _, errs["Snapshot"] = l.Snapshot(ctx, lay, [][]float32{v, v})
	_, errs["PutEvaluation"] = l.PutEvaluation(ctx, lay, step, unit, []byte("x"))
	_, errs["Evaluations"] = l.Evaluations(ctx, lay, step)
	errs["DropEvaluations"] = l.DropEvaluations(ctx, lay, step)
	errs["Delete"] = l.Delete(ctx, lay)
	return errs
}
