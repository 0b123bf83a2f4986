package tree

import (
	"fmt"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

func TestLeavesOfSmallTrees(t *testing.T) {
	for _, c := range []struct {
		n      Node
		m      int
		lo, hi int
		ok     bool
	}{
		{Root, 1, 0, 1, true},
		{2, 1, 0, 0, false},
		{Root, 5, 0, 5, true},
		{2, 5, 0, 4, true},
		{3, 5, 4, 5, true},
		{5, 5, 2, 4, true},
		{6, 5, 0, 0, false}, // 3 is a leaf
		{0, 5, 0, 0, false},
		{Root, 0, 0, 0, false},
		{1 << 40, 8, 0, 0, false},
	} {
		lo, hi, ok := c.n.Leaves(c.m)
		require.Equal(t, []any{c.lo, c.hi, c.ok}, []any{lo, hi, ok}, "node %d of %d leaves", c.n, c.m)
	}
}

func TestCoverOfAFleet(t *testing.T) {
	require.Equal(t, []Node{1}, Cover(8, 0))
	require.Equal(t, []Node{1}, Cover(8, 1))
	require.Equal(t, []Node{4, 5, 3}, Cover(8, 3))
	require.Equal(t, []Node{8, 9, 10, 11, 12, 13, 14, 15}, Cover(8, 100))
}

// text is a value that shows the order and the association of the sum.
func sumOf(m int, cover []Node) (string, bool) {
	value := func(n Node) string { return full(n, m) }
	return Sum(m, cover, value, func(l, r string) string { return "(" + l + "+" + r + ")" })
}

// full is the simple twin: it computes the value of a node directly from its definition.
func full(n Node, m int) string {
	lo, hi, _ := n.Leaves(m)
	if hi-lo == 1 {
		return fmt.Sprint(lo)
	}
	return "(" + full(n.Left(), m) + "+" + full(n.Right(), m) + ")"
}

func TestEveryCoverSumsAlike(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		m := rapid.IntRange(1, 70).Draw(t, "leaves")
		cover := Cover(m, rapid.IntRange(0, 80).Draw(t, "slots"))
		// Split some nodes further, as backup tasks for slow workers do.
		for range rapid.IntRange(0, 5).Draw(t, "partings") {
			i := rapid.IntRange(0, len(cover)-1).Draw(t, "which")
			if lo, hi, _ := cover[i].Leaves(m); hi-lo > 1 {
				cover = slices.Replace(cover, i, i+1, cover[i].Left(), cover[i].Right())
			}
		}
		next := 0
		for _, n := range cover {
			lo, hi, ok := n.Leaves(m)
			require.True(t, ok)
			require.Equal(t, next, lo, "covers are gapless and in leaf order")
			next = hi
		}
		require.Equal(t, m, next)
		got, ok := sumOf(m, rapid.Permutation(cover).Draw(t, "order"))
		require.True(t, ok)
		require.Equal(t, full(Root, m), got)
	})
}

func TestResolveFindsCoverAndGaps(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		m := rapid.IntRange(1, 40).Draw(t, "leaves")
		arrived := map[Node]bool{}
		for _, n := range rapid.SliceOf(rapid.Uint64Range(1, 2*uint64(m)+20)).Draw(t, "arrived") {
			if _, _, ok := Node(n).Leaves(m); ok {
				arrived[Node(n)] = true
			}
		}
		cover, missing := Resolve(m, func(n Node) bool { return arrived[n] })
		_, complete := sumOf(m, cover)
		require.Equal(t, complete, len(missing) == 0)
		all, ok := sumOf(m, append(slices.Clone(cover), missing...))
		require.True(t, ok, "with what is missing it is complete")
		require.Equal(t, full(Root, m), all)
		for _, n := range missing {
			require.False(t, arrived[n])
			if n != Root {
				_, gone := Resolve(m, func(x Node) bool { return arrived[x] || x == n.Sibling() })
				require.Contains(t, gone, n, "a gap is as high as it can be")
			}
		}
	})
}

func TestSumOfAnIncompleteCover(t *testing.T) {
	_, ok := sumOf(8, []Node{4, 5, 6})
	require.False(t, ok)
}
