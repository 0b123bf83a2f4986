package replica_test

import (
	"context"
	"slices"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"tributary/shared/job"
	"tributary/shared/ledger"
	"tributary/shared/ledger/memory"
	"tributary/shared/replica"
)

// partly records which chunks of roots a caller reads.
type partly struct {
	ledger.Ledger
	read [][]int
}

func (p *partly) Root(ctx context.Context, l ledger.Layout, r ledger.LogRead) (ledger.Sums, ledger.Chain, error) {
	p.read = append(p.read, slices.Clone(r.Chunks))
	return p.Ledger.Root(ctx, l, r)
}

// The process does not read back the chunks that it has appended itself.
func TestAppendedChunksAreNotReadBack(t *testing.T) {
	h, l := newHistory(t, adam), &partly{Ledger: memory.New()}
	layout := h.e.Layout(ref)
	all := layout.AllChunks()
	require.Greater(t, len(all), 2)
	r := replica.New(h.e, ref)
	complete := func(step int64, chunks ...int) error {
		root := make([]float32, layout.Params)
		after := slices.Clone(h.folds[step].Chain)
		for _, c := range chunks {
			lo, hi := layout.Chunk(c)
			copy(root[lo:hi], h.roots[step].Gradient[lo:hi])
			after[c] = h.folds[step+1].Chain[c]
		}
		return r.Complete(t.Context(), nil, l, step, root, chunks, after)
	}
	require.ErrorIs(t, complete(0, 1), job.ErrNotFound, "chunks do not make a step committed")
	h.commit(t, l, 0, 6)
	require.NoError(t, complete(0, 0, 1))
	require.Equal(t, [][]int{append([]int{0}, all[2:]...), all[2:]}, l.read)
	h.sees(t, r, l, 1)

	require.NoError(t, complete(0, 1), "of a step that is folded")
	require.NoError(t, complete(3, 1), "of one to come")
	require.Len(t, l.read, 2)
	require.NoError(t, complete(1, 1))
	h.sees(t, r, l, 6)
}

// A speculative fold is confirmed, or the replica is reset.
func TestSpeculation(t *testing.T) {
	h, l := newHistory(t, adam), memory.New()
	r := replica.New(h.e, ref)
	speculate := func(step int64) bool {
		return r.Speculate(t.Context(), nil, nil, step, h.roots[step].Gradient, h.roots[step].Sums, nil, false)
	}
	require.False(t, speculate(1), "not the next step")
	require.True(t, speculate(0))
	require.True(t, r.Speculative(t.Context()))
	require.False(t, speculate(1), "one step at a time")
	require.ErrorIs(t, r.View(t.Context(), l, 2, nil), job.ErrNotFound)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err := r.Snapshot(ctx)
	require.ErrorIs(t, err, context.Canceled, "it is not of the log")
	require.ErrorIs(t, r.WaitConfirmed(ctx), context.Canceled)
	require.NoError(t, r.Confirm(t.Context(), 0, h.folds[1].Chain))
	h.commit(t, l, 0, 6)
	h.sees(t, r, l, 1)
	require.NoError(t, r.WaitConfirmed(t.Context()))
	require.True(t, speculate(1))
	require.NoError(t, r.Reset(t.Context()))
	require.False(t, r.Speculative(t.Context()))
	h.sees(t, r, l, 6)
}

// A process that knows the chain after each step may fold many steps speculatively, and
// confirms the last.
func TestSpeculationOfManySteps(t *testing.T) {
	h, l := newHistory(t, adam), memory.New()
	r := replica.New(h.e, ref)
	ctx := t.Context()
	speculate := func(step int64, own bool) bool {
		return r.Speculate(ctx, nil, nil, step, h.roots[step].Gradient, h.roots[step].Sums, h.folds[step+1].Chain, own)
	}
	require.False(t, speculate(0, true), "no fold is speculative yet")
	require.True(t, speculate(0, false))
	require.False(t, speculate(1, false), "the fold is speculative")
	require.True(t, speculate(1, true))
	require.ErrorIs(t, r.View(ctx, l, 3, nil), job.ErrNotFound)
	require.NoError(t, r.View(ctx, l, 2, func(params []float32, chain ledger.Chain) error {
		require.Equal(t, h.folds[2].Vectors[0], params)
		require.Nil(t, chain, "it is not the ledger's")
		return nil
	}))
	fold, err := r.Unconfirmed(ctx, nil)
	require.NoError(t, err)
	require.Equal(t, h.folds[2], fold)
	require.True(t, speculate(2, true))
	require.NoError(t, r.Confirm(ctx, 1, fold.Chain))
	require.True(t, r.Speculative(ctx), "a later step is speculative")

	copied := make(chan ledger.Snapshot)
	go func() {
		s, err := r.Snapshot(ctx)
		assert.NoError(t, err)
		copied <- s
	}()
	speculate(3, true) // unless somebody waits for the snapshot by now
	fold, err = r.Unconfirmed(ctx, fold.Vectors)
	require.NoError(t, err)
	require.NoError(t, r.Confirm(ctx, fold.Step-1, fold.Chain))
	require.Equal(t, fold, <-copied)
	h.marked(t, r, fold.Step)
}
