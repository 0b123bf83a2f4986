package ledgertest

import (
	"math"
	"testing"

	"github.com/stretchr/testify/require"

	"tributary/shared/job"
	"tributary/shared/ledger"
	"tributary/shared/tree"
	"tributary/shared/wire"
)

func newJobIsAtZero(t *testing.T, l ledger.Ledger) {
	lay, ctx := layoutOf(l, 5, 2, 4), t.Context()
	requireState(t, l, lay, ledger.State{})
	_, _, err := l.Root(ctx, lay, ledger.LogRead{Step: 0, Chunks: lay.AllChunks(), Dst: make([]float32, 5), Before: lay.Genesis()})
	require.ErrorIs(t, err, job.ErrNotFound)
	_, _, err = l.Snapshot(ctx, lay, snapshotVectors(lay, 1))
	require.ErrorIs(t, err, job.ErrNotFound)
	nodes, err := l.Arrived(ctx, lay, 0)
	require.NoError(t, err)
	require.Empty(t, nodes)
	got, err := l.Losses(ctx, lay, 0, 10)
	require.NoError(t, err)
	require.Empty(t, got)
	units, err := l.Evaluations(ctx, lay, 0)
	require.NoError(t, err)
	require.Empty(t, units)
	_, err = l.Partial(ctx, lay, ledger.PartialRead{Step: 0, Node: 1, Chunks: []int{0}, Dst: make([]float32, 5)})
	require.ErrorIs(t, err, job.ErrNotFound)
	require.NoError(t, l.DropEvaluations(ctx, lay, 0))
	require.NoError(t, l.Delete(ctx, lay))
}

// oneChunk follows two steps of a small job from the first partial to the root.
func oneChunk(t *testing.T, l ledger.Ledger) {
	lay, ctx := layoutOf(l, 3, 100, 2), t.Context()
	for step := range int64(2) {
		arrivals := put(t, l, lay, step, 2)
		require.Equal(t, []ledger.Arrival{{}}, arrivals)
		arrivals = put(t, l, lay, step, 3)
		require.Equal(t, []ledger.Arrival{{Cover: []tree.Node{2, 3}}}, arrivals)
		require.True(t, Reduce(ctx, t, l, lay, step, 3, arrivals, nil))
		requireRoot(t, l, lay, step)
		requireState(t, l, lay, ledger.State{Committed: step + 1})
		require.Equal(t, []ledger.Arrival{{Committed: true}}, put(t, l, lay, step, 2))
		_, err := l.Partial(ctx, lay, ledger.PartialRead{Step: step, Node: 2, Chunks: []int{0}, Dst: make([]float32, 3)})
		require.ErrorIs(t, err, job.ErrNotFound)
	}
}

func putIsIdempotent(t *testing.T, l ledger.Ledger) {
	lay := layoutOf(l, 7, 3, 4)
	for range 3 {
		require.Equal(t, make([]ledger.Arrival, 3), put(t, l, lay, 0, 2))
		requireArrived(t, l, lay, 0, 2)
	}
	complete := []ledger.Arrival{{Cover: []tree.Node{2, 3}}, {Cover: []tree.Node{2, 3}}, {Cover: []tree.Node{2, 3}}}
	require.Equal(t, complete, put(t, l, lay, 0, 3))
	require.Equal(t, complete, put(t, l, lay, 0, 3))
	require.Equal(t, make([]ledger.Arrival, 3), put(t, l, lay, 0, 2), "what completed it was not kept")
	requireArrived(t, l, lay, 0, 2)
	whole := complete[0]
	whole.Cover = []tree.Node{1}
	require.Equal(t, []ledger.Arrival{whole, whole, whole}, put(t, l, lay, 0, 1), "the highest nodes cover")
	requireState(t, l, lay, ledger.State{})
}

func differingPartial(t *testing.T, l ledger.Ledger) {
	lay, ctx := layoutOf(l, 4, 2, 2), t.Context()
	put(t, l, lay, 0, 2)
	for name, change := range map[string]func(*ledger.Partial){
		"gradient":      func(p *ledger.Partial) { p.Gradient[3] = -p.Gradient[3] },
		"examples":      func(p *ledger.Partial) { p.Sums.Examples++ },
		"loss":          func(p *ledger.Partial) { p.Sums.Loss = math.NaN() },
		"negative zero": func(p *ledger.Partial) { p.Gradient[0] = float32(math.Copysign(0, -1)) },
	} {
		p := Partial(lay, 0, 2)
		change(&p)
		_, err := l.Put(ctx, lay, 0, 2, p)
		if want := job.ErrCorrupt; name == "negative zero" && lay.Wire.Encoding == wire.Int8 {
			require.ErrorIs(t, err, job.ErrInvalid, "int8 has none")
		} else {
			require.ErrorIs(t, err, want, name)
		}
	}
	requirePartial(t, l, lay, 0, 2)
	requireArrived(t, l, lay, 0, 2)
}

func arrivedListsNodes(t *testing.T, l ledger.Ledger) {
	lay, ctx := layoutOf(l, 6, 2, 4), t.Context()
	put(t, l, lay, 0, 5)
	put(t, l, lay, 0, 4)
	arrivals := put(t, l, lay, 0, 3)
	requireArrived(t, l, lay, 0, 4, 5)
	Reduce(ctx, t, l, lay, 0, 3, arrivals, func(c int) bool { return c == 1 })
	requireArrived(t, l, lay, 0, 4, 5) // chunk 1 still has them
	require.True(t, Reduce(ctx, t, l, lay, 0, 3, put(t, l, lay, 0, 3), nil))
	requireArrived(t, l, lay, 0)
	requireArrived(t, l, lay, 1)
}

func partialOfCommittedChunk(t *testing.T, l ledger.Ledger) {
	lay, ctx := layoutOf(l, 6, 2, 2), t.Context()
	put(t, l, lay, 0, 2)
	arrivals := put(t, l, lay, 0, 3)
	requirePartial(t, l, lay, 0, 2)
	Reduce(ctx, t, l, lay, 0, 3, arrivals, func(c int) bool { return c != 1 })
	dst := make([]float32, 6)
	_, err := l.Partial(ctx, lay, ledger.PartialRead{Step: 0, Node: 2, Chunks: []int{0, 1}, Dst: dst})
	require.ErrorIs(t, err, job.ErrNotFound)
	_, err = l.Partial(ctx, lay, ledger.PartialRead{Step: 0, Node: 2, Chunks: []int{0, 2}, Dst: dst})
	require.NoError(t, err)
	again := put(t, l, lay, 0, 2)
	require.Equal(t, []bool{false, true, false}, []bool{again[0].Committed, again[1].Committed, again[2].Committed})
}

func chunkSizes(t *testing.T, l ledger.Ledger) {
	for _, c := range []struct{ params, chunk, chunks int }{
		{0, 4, 1}, {1, 1, 1}, {1, 4, 1}, {3, 4, 1}, {4, 4, 1}, {5, 4, 2}, {8, 4, 2}, {9, 4, 3}, {5, 1, 5},
	} {
		lay, ctx := layoutOf(l, c.params, c.chunk, 3), t.Context()
		require.Equal(t, c.chunks, lay.Chunks())
		put(t, l, lay, 0, 2)
		requirePartial(t, l, lay, 0, 2)
		arrivals := put(t, l, lay, 0, 3)
		require.Len(t, arrivals, c.chunks)
		require.True(t, Reduce(ctx, t, l, lay, 0, 3, arrivals, nil))
		requireRoot(t, l, lay, 0)
		requireRootChunks(t, l, lay, 0)
		require.NoError(t, l.PutSnapshot(ctx, lay, snapshotOf(lay, 1, 2)))
		requireSnapshot(t, l, lay, 1, 2)
		require.NoError(t, l.Delete(ctx, lay))
	}
}

// manyChunks tests more chunks than an implementation sends at once.
func manyChunks(t *testing.T, l ledger.Ledger) {
	lay := layoutOf(l, 1100, 1, 1)
	for _, a := range put(t, l, lay, 0, tree.Root) {
		require.Equal(t, ledger.Arrival{Cover: []tree.Node{tree.Root}}, a)
	}
	requireArrived(t, l, lay, 0)
	two := layoutOf(l, 1100, 1, 2)
	put(t, l, two, 0, 2)
	requireArrived(t, l, two, 0, 2)
	requirePartial(t, l, two, 0, 2)
	require.True(t, commit(t, l, lay, 0))
	requireRoot(t, l, lay, 0)
}

// bitsAreKept tests that NaN payloads, infinities, both zeros and subnormals are read back
// with the same bits, with a wire that can represent them.
func bitsAreKept(t *testing.T, l ledger.Ledger) {
	if layoutOf(l, 6, 4, 2).Wire.Lossy() {
		return
	}
	lay, ctx := layoutOf(l, 6, 4, 2), t.Context()
	bits := []uint32{0x7fc00001, 0xffc0dead, 0x7f800000, 0x80000000, 0x00000001, 0x7f7fffff}
	p := ledger.Partial{Gradient: make([]float32, 6), Sums: ledger.Sums{Examples: -1, Loss: math.Inf(-1)}}
	for i, b := range bits {
		p.Gradient[i] = math.Float32frombits(b)
	}
	_, err := l.Put(ctx, lay, 0, 2, p)
	require.NoError(t, err)
	read := make([]float32, 6)
	_, err = l.Partial(ctx, lay, ledger.PartialRead{Step: 0, Node: 2, Chunks: []int{0, 1}, Dst: read})
	require.NoError(t, err)
	_, _, err = l.Append(ctx, lay, ledger.LogWrite{Step: 0, Chunks: []int{0, 1}, Root: p, Residual: Residual(lay, p), Before: lay.Genesis()})
	require.NoError(t, err)
	dst := make([]float32, 6)
	sums, _, err := l.Root(ctx, lay, ledger.LogRead{Step: 0, Chunks: lay.AllChunks(), Dst: dst, Before: lay.Genesis()})
	require.NoError(t, err)
	require.Equal(t, p.Sums, sums)
	for i, b := range bits {
		require.Equal(t, b, math.Float32bits(dst[i]))
		require.Equal(t, b, math.Float32bits(read[i]))
	}
}
