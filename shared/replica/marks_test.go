package replica_test

import (
	"context"
	"testing"

	"github.com/stretchr/testify/require"

	"tributary/shared/replica"
)

// marked checks that the replica's marks are those of the log's newest steps, up to step
// to-1.
func (h *history) marked(t require.TestingT, r *replica.Replica, to int64) {
	from, marks, err := r.Marks(context.Background())
	require.NoError(t, err)
	require.Equal(t, to, from+int64(len(marks)))
	for i, m := range marks {
		require.Equal(t, h.folds[from+int64(i)+1].Chain.Mark(), m)
	}
}

// A speculative step gets its mark when the process confirms it, and no mark when it is
// discarded.
func TestASpeculativeStepIsMarkedWhenItIsConfirmed(t *testing.T) {
	h := newHistory(t, adam)
	r := replica.New(h.e, ref)
	ctx := t.Context()
	for step := range int64(3) {
		require.True(t, r.Speculate(ctx, nil, nil, step, h.roots[step].Gradient, h.roots[step].Sums, nil, false))
		h.marked(t, r, step)
		require.NoError(t, r.Confirm(ctx, step, h.folds[step+1].Chain))
		h.marked(t, r, step+1)
	}
	require.True(t, r.Speculate(ctx, nil, nil, 3, h.roots[3].Gradient, h.roots[3].Sums, nil, false))
	require.NoError(t, r.Reset(ctx))
	h.marked(t, r, 0)
}
