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

// partly notes which chunks of roots are read.
type partly struct {
	ledger.Ledger
	read [][]int
}

func (p *partly) Root(ctx context.Context, l ledger.Layout, r ledger.LogRead) (ledger.Sums, ledger.Chain, error) {
	p.read = append(p.read, slices.Clone(r.Chunks))
	return p.Ledger.Root(ctx, l, r)
}

// Chunks that this process has appended are not read back.
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

// Who leads the log is settled, or forgets.
func TestLeading(t *testing.T) {
	h, l := newHistory(t, adam), memory.New()
	r := replica.New(h.e, ref)
	lead := func(step int64) bool {
		return r.Lead(t.Context(), nil, step, h.roots[step].Gradient, h.roots[step].Sums, nil, false)
	}
	require.False(t, lead(1), "not the next step")
	require.True(t, lead(0))
	require.True(t, r.Leads(t.Context()))
	require.False(t, lead(1), "one step at a time")
	require.ErrorIs(t, r.View(t.Context(), l, 2, nil), job.ErrNotFound)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err := r.Snapshot(ctx)
	require.ErrorIs(t, err, context.Canceled, "it is not of the log")
	require.ErrorIs(t, r.Settled(ctx), context.Canceled)
	require.NoError(t, r.Settle(t.Context(), 0, h.folds[1].Chain))
	h.commit(t, l, 0, 6)
	h.sees(t, r, l, 1)
	require.NoError(t, r.Settled(t.Context()))
	require.True(t, lead(1))
	require.NoError(t, r.Forget(t.Context()))
	require.False(t, r.Leads(t.Context()))
	h.sees(t, r, l, 6)
}

// Many steps may be led one after the other by whoever knows their links, and are
// settled with the last.
func TestLeadingManySteps(t *testing.T) {
	h, l := newHistory(t, adam), memory.New()
	r := replica.New(h.e, ref)
	ctx := t.Context()
	lead := func(step int64, leads bool) bool {
		return r.Lead(ctx, nil, step, h.roots[step].Gradient, h.roots[step].Sums, h.folds[step+1].Chain, leads)
	}
	require.False(t, lead(0, true), "nobody leads yet")
	require.True(t, lead(0, false))
	require.False(t, lead(1, false), "another leads")
	require.True(t, lead(1, true))
	require.ErrorIs(t, r.View(ctx, l, 3, nil), job.ErrNotFound)
	require.NoError(t, r.View(ctx, l, 2, func(params []float32, chain ledger.Chain) error {
		require.Equal(t, h.folds[2].Vectors[0], params)
		require.Nil(t, chain, "it is not the ledger's")
		return nil
	}))
	led, err := r.Led(ctx, nil)
	require.NoError(t, err)
	require.Equal(t, h.folds[2], led)
	require.True(t, lead(2, true))
	require.NoError(t, r.Settle(ctx, 1, led.Chain))
	require.True(t, r.Leads(ctx), "a later step is led")

	copied := make(chan ledger.Snapshot)
	go func() {
		s, err := r.Snapshot(ctx)
		assert.NoError(t, err)
		copied <- s
	}()
	lead(3, true) // unless the snapshot is waited for by now
	led, err = r.Led(ctx, led.Vectors)
	require.NoError(t, err)
	require.NoError(t, r.Settle(ctx, led.Step-1, led.Chain))
	require.Equal(t, led, <-copied)
	h.marked(t, r, led.Step)
}
