package redis

import (
	"testing"

	"github.com/stretchr/testify/require"

	"tributary/shared/ledger"
	"tributary/shared/ledger/ledgertest"
	"tributary/shared/ledger/redis/redistest"
	"tributary/shared/tree"
)

func TestNodesBeginAtTheirPlaceInTheVector(t *testing.T) {
	for node, want := range map[tree.Node][]int{
		1: {0, 1, 2, 3, 4}, 2: {0, 1, 2, 3, 4}, 3: {2, 3, 4, 0, 1}, 7: {3, 4, 0, 1, 2},
	} {
		p := putting{lay: ledgertest.Layout(5, 1, 4), node: node}
		require.Equal(t, want, p.order(), "node %d", node)
	}
	p := putting{lay: ledgertest.Layout(5, 9, 4), node: 7}
	require.Equal(t, []int{0}, p.order())
}

// Put asks before it sends floats, so it does not send the floats of a partial that
// completes the tree.
func TestWhatCompletesIsNotSent(t *testing.T) {
	s := redistest.Start(t)
	if s == nil {
		return
	}
	l, ctx := open(t, s.URL), t.Context()
	received := func() int64 {
		n, ok := number(info(ctx, l.control, "stats")["total_net_input_bytes"])
		require.True(t, ok)
		return n
	}
	lay := ledgertest.Layout(200_000, 20_000, 2)
	before := received()
	_, err := l.Put(ctx, lay, 0, 2, ledgertest.Partial(lay, 0, 2))
	require.NoError(t, err)
	require.Greater(t, received()-before, int64(800_000))
	before = received()
	arrivals, err := l.Put(ctx, lay, 0, 3, ledgertest.Partial(lay, 0, 3))
	require.NoError(t, err)
	require.Less(t, received()-before, int64(10_000))
	for _, a := range arrivals {
		require.Equal(t, []tree.Node{2, 3}, a.Cover)
	}
}

// The arrival of a small chunk brings the sibling's partial. Where the cover needs more
// partials, or the sibling had not arrived, the caller reads them.
func TestSmallChunksComeWithTheirArrival(t *testing.T) {
	for name, lim := range sizes {
		l := open(t, redistest.Mini(t))
		l.limits = lim
		lay := ledgertest.Layout(3, 2, 4)
		for _, node := range []tree.Node{2, 6} {
			_, err := l.Put(t.Context(), lay, 0, node, ledgertest.Partial(lay, 0, node))
			require.NoError(t, err)
		}
		three, err := l.Put(t.Context(), lay, 0, 7, ledgertest.Partial(lay, 0, 7))
		require.NoError(t, err)
		require.Equal(t, []tree.Node{2, 6, 7}, three[1].Cover)
		require.Equal(t, name == "tiny chunks", three[1].Values != nil, name)
		two, err := l.Put(t.Context(), lay, 0, 3, ledgertest.Partial(lay, 0, 3))
		require.NoError(t, err)
		require.Equal(t, []tree.Node{2, 3}, two[1].Cover)
		if name == "large chunks" {
			require.Nil(t, two[1].Values)
			continue
		}
		whole := ledgertest.Partial(lay, 0, 2)
		require.Equal(t, []ledger.Partial{{Gradient: whole.Gradient[2:], Sums: whole.Sums}, {}}, two[1].Values, name)
	}
}
