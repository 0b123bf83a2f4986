package checkpoint

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"

	"tributary/shared/blob"
	"tributary/shared/history"
	"tributary/shared/job"
	"tributary/shared/ledger"
	"tributary/shared/ledger/memory"
)

var layout = ledger.Layout{Ref: ref, Params: 10, ChunkLen: 4, Microbatch: 1}

// take commits steps whose losses and examples are the steps' numbers.
func take(t *testing.T, l ledger.Ledger, from, to int64) {
	t.Helper()
	for step := from; step < to; step++ {
		_, _, err := l.Append(t.Context(), layout, ledger.LogWrite{Step: step, Chunks: layout.AllChunks(), Root: ledger.Partial{Gradient: make([]float32, layout.Params), Sums: sums(step)}, Before: layout.Genesis()})
		require.NoError(t, err)
	}
}

func sums(step int64) ledger.Sums { return ledger.Sums{Examples: step, Loss: float64(step)} }

// gather makes the checkpoint of a ledger after so many steps.
func gather(t *testing.T, l ledger.Ledger, step int64) *State {
	t.Helper()
	v := make([]float32, layout.Params)
	v[0] = float32(step)
	s, err := Gather(t.Context(), l, layout, ledger.Snapshot{Step: step, Vectors: [][]float32{v}, Chain: layout.Genesis()})
	require.NoError(t, err)
	return s
}

func evaluate(t *testing.T, l ledger.Ledger, step int64) {
	t.Helper()
	_, err := l.PutEvaluation(t.Context(), layout, ledger.Concluded, fmt.Sprintf("%d/validation", step), []byte{byte(step)})
	require.NoError(t, err)
}

func TestALostLedgerIsRestored(t *testing.T) {
	l := memory.New()
	take(t, l, 0, 20)
	evaluate(t, l, 5)
	evaluate(t, l, 10)
	evaluate(t, l, 15)
	s := gather(t, l, 10)
	require.Equal(t, map[string][]byte{"5/validation": {5}}, s.Evaluations, "the one after step 10 may be under way")

	// The ledger is lost and restored, continues, and is lost and restored again.
	l = memory.New()
	require.NoError(t, Restore(t.Context(), l, layout, s))
	require.NoError(t, Restore(t.Context(), l, layout, s), "a second time changes nothing")
	requireLedger(t, l, 10, 10)
	take(t, l, 10, 14)
	requireLedger(t, l, 14, 10)
	second := gather(t, l, 12)
	require.Len(t, second.Losses, 12)

	// An old copy of the ledger replaces it: what the copy holds agrees.
	require.NoError(t, Restore(t.Context(), l, layout, second))
	requireLedger(t, l, 14, 12)
	late := memory.New()
	take(t, late, 0, 7)
	require.NoError(t, Restore(t.Context(), late, layout, second))
	take(t, late, 12, 13)
	requireLedger(t, late, 13, 12)
	require.NoError(t, l.Delete(t.Context(), layout))
	left, err := l.Evaluations(t.Context(), layout, ledger.Earlier)
	require.NoError(t, err)
	require.Empty(t, left)
}

// requireLedger checks how far a ledger is and that the losses of all steps are known.
func requireLedger(t *testing.T, l ledger.Ledger, committed, snapshot int64) {
	t.Helper()
	state, err := l.State(t.Context(), layout)
	require.NoError(t, err)
	require.Equal(t, committed, state.Committed)
	require.Equal(t, snapshot, state.Snapshot)
	for _, steps := range [][2]int64{{0, committed}, {3, committed}, {0, 2}, {committed - 1, committed}} {
		list, err := Losses(t.Context(), l, layout, steps[0], steps[1])
		require.NoError(t, err)
		require.Len(t, list, int(steps[1]-steps[0]), "steps %v", steps)
		for i, p := range list {
			step := steps[0] + int64(i)
			require.Equal(t, ledger.Progress{Step: step, Sums: sums(step)}, p)
		}
	}
}

func TestALedgerThatHasLostLossesMakesNoCheckpoint(t *testing.T) {
	l := memory.New()
	_, err := l.PutEvaluation(t.Context(), layout, ledger.Earlier, "4-5", appendLosses(nil, []ledger.Sums{{}}))
	require.NoError(t, err)
	require.NoError(t, l.Begin(t.Context(), layout, ledger.Snapshot{Step: 5, Vectors: [][]float32{make([]float32, layout.Params)}, Chain: layout.Genesis()}))
	take(t, l, 5, 8)
	_, err = Gather(t.Context(), l, layout, ledger.Snapshot{Step: 8, Vectors: [][]float32{make([]float32, layout.Params)}, Chain: layout.Genesis()})
	require.ErrorIs(t, err, job.ErrStale)
}

func TestNothingIsLeftOfCheckpointsThatNobodyRecords(t *testing.T) {
	l, store := memory.New(), newListing()
	take(t, l, 0, 20)
	begin := func(step int64) *Draft {
		d, err := NewDraft(gather(t, l, step))
		require.NoError(t, err)
		require.NoError(t, d.Announce(t.Context(), l, layout))
		return d
	}
	four, six, nine := begin(4), begin(6), begin(9)
	_, err := store.Put(t.Context(), must(four.parts[0].encode(nil))) // the writer of four has died after one part
	require.NoError(t, err)

	found, err := Written(t.Context(), l, layout, store, 5)
	require.NoError(t, err)
	require.Nil(t, found)
	require.NoError(t, six.Write(t.Context(), store, none))
	found, err = Written(t.Context(), l, layout, store, 5)
	require.NoError(t, err)
	require.Equal(t, six.Digest, found.Digest)
	found, err = Written(t.Context(), l, layout, store, 7)
	require.NoError(t, err)
	require.Nil(t, found)

	// Checkpoint 6 is recorded while checkpoint 9 is being written.
	kept := []job.Checkpoint{{Step: 6, Digest: six.Digest}}
	require.NoError(t, Discard(t.Context(), l, layout, store, 6, kept))
	require.NoError(t, Verify(t.Context(), store, six.Digest))
	require.Len(t, store.digests(), len(six.parts)+1, "what was written of four is gone")
	require.NoError(t, nine.Write(t.Context(), store, none))

	// A process removes checkpoint 6 from the record and dies; another process deletes it.
	require.NoError(t, Retire(t.Context(), l, layout, store, six.Digest))
	kept = []job.Checkpoint{{Step: 9, Digest: nine.Digest}}
	require.NoError(t, Discard(t.Context(), l, layout, store, 9, kept))
	require.Len(t, store.digests(), len(nine.parts)+1)
	require.ErrorIs(t, Retire(t.Context(), l, layout, store, six.Digest), job.ErrNotFound)

	// The job ends, and nobody has recorded checkpoint 12.
	require.NoError(t, begin(12).Write(t.Context(), store, none))
	require.NoError(t, Discard(t.Context(), l, layout, store, 1<<62, kept))
	require.NoError(t, Verify(t.Context(), store, nine.Digest))
	require.Len(t, store.digests(), len(nine.parts)+1)
	drafts, err := l.Evaluations(t.Context(), layout, ledger.Drafts)
	require.NoError(t, err)
	require.Empty(t, drafts)
}

func must(data []byte, err error) []byte {
	if err != nil {
		panic(err)
	}
	return data
}

func FuzzDecode(f *testing.F) {
	d, err := NewDraft(state(ref, 5, 10))
	if err != nil {
		f.Fatal(err)
	}
	f.Add(d.Encoded)
	f.Add([]byte(`{"magic":"tributary-checkpoint","version":1,"job":"a","run":"r","step":1,"params":0,"vectors":[[]],"losses":["x"]}`))
	f.Add([]byte(`{"vectors":[[],[]]}`))
	store := blob.NewMemory(0)
	f.Fuzz(func(t *testing.T, data []byte) {
		m, err := Decode(data)
		if err != nil {
			require.ErrorIs(t, err, job.ErrCorrupt)
			return
		}
		require.Len(t, m.Losses, int((m.Step+lossesLen-1)/lossesLen))
		if m.Params < partLen {
			_, err = m.Read(t.Context(), store)
			require.ErrorIs(t, err, job.ErrNotFound)
		}
	})
}

// The marks of the steps before a checkpoint survive the loss of the ledger: those that the
// ledger had, and those that only the writer knew.
func TestHistoryIsGatheredAndRestored(t *testing.T) {
	l := memory.New()
	take(t, l, 0, 8)
	_, err := history.Store(t.Context(), l, layout, 0, []ledger.Mark{{1}, {2}, {3}})
	require.NoError(t, err)
	s := gather(t, l, 5)
	require.Equal(t, []ledger.Mark{{1}, {2}, {3}, {}, {}}, s.Marks)
	require.NoError(t, s.Remember(2, []ledger.Mark{{3}, {4}, {5}, {6}}))
	require.Equal(t, []ledger.Mark{{1}, {2}, {3}, {4}, {5}}, s.Marks)
	require.ErrorIs(t, s.Remember(2, []ledger.Mark{{7}}), job.ErrCorrupt)

	l = memory.New()
	require.NoError(t, Restore(t.Context(), l, layout, s))
	h, err := history.Load(t.Context(), l, layout)
	require.NoError(t, err)
	require.Equal(t, s.Marks, h.Marks(5))
}
