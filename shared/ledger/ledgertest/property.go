package ledgertest

import (
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/sync/errgroup"
	"pgregory.net/rapid"

	"tributary/shared/ledger"
	"tributary/shared/tree"
)

// anyCoverAnyOrder tests that each step is committed exactly once, with the bits of the
// naive sum. The tasks may cover the tree in any way, with nodes of any levels. Their
// partials may arrive in any order and any number of times, and workers may die before they
// reduce.
func anyCoverAnyOrder(t *testing.T, l ledger.Ledger) {
	ctx := t.Context()
	rapid.Check(t, func(rt *rapid.T) {
		lay := layoutOf(l, rapid.IntRange(0, 12).Draw(rt, "P"), rapid.IntRange(1, 8).Draw(rt, "chunk"), rapid.IntRange(1, 9).Draw(rt, "M"))
		for step := range rapid.Int64Range(1, 3).Draw(rt, "steps") {
			arrived, inLog := map[tree.Node]bool{}, make([]bool, lay.Chunks())
			commits := 0
			for _, node := range drawArrivals(rt, lay.Microbatch) {
				arrivals, err := l.Put(ctx, lay, step, node, Partial(lay, step, node))
				require.NoError(rt, err)
				cover, missing := tree.Resolve(lay.Microbatch, func(n tree.Node) bool { return arrived[n] || n == node })
				if len(missing) > 0 {
					arrived[node] = true // the ledger does not store the partial that completes the tree
				}
				for c, a := range arrivals {
					switch {
					case inLog[c]:
						require.Equal(rt, ledger.Arrival{Committed: true}, a)
					case len(missing) > 0:
						require.Equal(rt, ledger.Arrival{}, a)
					default:
						require.Contains(rt, a.Cover, node)
						a.Values = nil
						require.Equal(rt, ledger.Arrival{Cover: cover}, a)
					}
				}
				if len(missing) > 0 {
					continue
				}
				dies := rapid.IntRange(0, lay.Chunks()).Draw(rt, "dies before chunk")
				if Reduce(ctx, rt, l, lay, step, node, arrivals, func(c int) bool { return c >= dies }) {
					commits++
				}
				for c := range dies {
					inLog[c] = true
				}
			}
			finish, err := l.Put(ctx, lay, step, tree.Root, Partial(lay, step, tree.Root))
			require.NoError(rt, err)
			if Reduce(ctx, rt, l, lay, step, tree.Root, finish, nil) {
				commits++
			}
			require.Equal(rt, 1, commits)
			state, err := l.State(ctx, lay)
			require.NoError(rt, err)
			require.Equal(rt, ledger.State{Committed: step + 1}, state)
			checkRoot(ctx, rt, l, lay, step)
		}
		require.NoError(rt, l.Delete(ctx, lay))
	})
}

// drawArrivals draws some covers of a tree of m leaves and returns their nodes in random
// order.
func drawArrivals(rt *rapid.T, m int) []tree.Node {
	var nodes []tree.Node
	var cover func(n tree.Node, lo, hi int)
	cover = func(n tree.Node, lo, hi int) {
		if hi-lo == 1 || rapid.Bool().Draw(rt, "take") {
			nodes = append(nodes, n)
			return
		}
		mid := tree.Split(lo, hi)
		cover(n.Left(), lo, mid)
		cover(n.Right(), mid, hi)
	}
	for range rapid.IntRange(1, 3).Draw(rt, "covers") {
		cover(tree.Root, 0, m)
	}
	return rapid.Permutation(nodes).Draw(rt, "order")
}

// manyWriters tests that concurrent workers, which all compute everything, commit each step
// once. A worker that finds a step in the log before it is committed may append the next
// one. Then the call that commits the earlier step commits both.
func manyWriters(t *testing.T, l ledger.Ledger) {
	const writers, steps = 6, 4
	lay := layoutOf(l, 50, 20, 5)
	commits := make([][steps]int, writers)
	group, ctx := errgroup.WithContext(t.Context())
	for w := range writers {
		group.Go(func() error {
			for step := range int64(steps) {
				nodes := tree.Cover(lay.Microbatch, 1+(w+int(step))%5)
				for i := range nodes {
					node := nodes[(i+w)%len(nodes)]
					arrivals, err := l.Put(ctx, lay, step, node, Partial(lay, step, node))
					if err != nil {
						return err
					}
					if Reduce(ctx, checker{t}, l, lay, step, node, arrivals, nil) {
						commits[w][step]++
					}
				}
			}
			return nil
		})
	}
	require.NoError(t, group.Wait())
	for step := range int64(steps) {
		total := 0
		for w := range commits {
			total += commits[w][step]
		}
		require.LessOrEqual(t, total, 1, "step %d", step)
		requireRoot(t, l, lay, step)
	}
	requireState(t, l, lay, ledger.State{Committed: steps})
	requireLosses(t, l, lay, 0, steps)
}

// checker reports failures from goroutines. A goroutine must not end the test itself.
type checker struct{ t *testing.T }

func (c checker) Errorf(format string, args ...any) { c.t.Errorf(format, args...) }
func (checker) FailNow()                            {}
