package model_test

import (
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"tributary/shared/job"
	"tributary/shared/model"
	"tributary/shared/numeric"
	"tributary/shared/numeric/team"
	"tributary/shared/tree"
)

// A batch is the sum of its micro-batches along the tree, in any number of
// threads, and also when it is too large to be computed at once.
func TestABatchIsTheSumOfItsMicrobatches(t *testing.T) {
	threads := team.New(2)
	defer threads.Close()
	passes := []*model.Pass{model.NewPass(nil), model.NewPass(nil), model.NewPass(threads), model.NewPass(threads)}
	passes[1].Limit(1)
	rapid.Check(t, func(t *rapid.T) {
		features := rapid.IntRange(1, 20).Draw(t, "features")
		loss := rapid.SampledFrom([]job.Loss{job.MSE, job.SoftmaxCrossEntropy}).Draw(t, "loss")
		n := compile(t, loss, features, layer(rapid.IntRange(1, 40).Draw(t, "hidden"), job.GELU), layer(3, ""))
		b := model.Batch{Bounds: []int{0}}
		for _, rows := range rapid.SliceOfN(rapid.IntRange(0, 40), 1, 9).Draw(t, "rows") {
			b.Bounds = append(b.Bounds, b.Bounds[len(b.Bounds)-1]+rows)
		}
		rows, leaves := b.Bounds[len(b.Bounds)-1], len(b.Bounds)-1
		params, x := random(n.Params(), 1, 1), random(rows*features, 2, 1)
		b.Y = labels(loss, rows, 3)
		targets := len(b.Y) / max(1, rows)
		for i := range rows {
			b.X = append(b.X, x[i*features:(i+1)*features])
		}
		want, w := make([]float64, leaves), model.NewWorkspace()
		var node func(lo, hi int) []float32
		node = func(lo, hi int) []float32 {
			if hi-lo == 1 {
				g, from, to := make([]float32, n.Params()), b.Bounds[lo], b.Bounds[hi]
				want[lo] = n.Gradient(g, w, params, x[from*features:], b.Y[from*targets:], to-from)
				return g
			}
			left, right := node(lo, tree.Split(lo, hi)), node(tree.Split(lo, hi), hi)
			numeric.Add(left, left, right)
			return left
		}
		sum := node(0, leaves)
		passes[3].Limit(rapid.IntRange(1, 4000).Draw(t, "limit"))
		for i, p := range passes {
			got, losses, last := make([]float32, n.Params()), make([]float64, leaves), 0.0
			whole, final := false, 0
			whole = n.SumGradient(got, losses, p, params, b, model.Hooks{
				Step: func(done, all int) bool {
					require.GreaterOrEqual(t, float64(done)/float64(all), last)
					last = float64(done) / float64(all)
					return true
				},
				Final: func(lo, hi int) { final += hi - lo },
			})
			require.True(t, whole)
			require.Equal(t, sum, got, "pass %d", i)
			require.Equal(t, want, losses, "pass %d", i)
			require.Equal(t, n.Params(), final)
			require.LessOrEqual(t, last, 1.0)
		}
	})
}

// A hook that says so ends a pass, in threads and in halves too.
func TestAPassIsStopped(t *testing.T) {
	threads := team.New(2)
	defer threads.Close()
	n := compile(t, job.MSE, 5, layer(4, job.ReLU), layer(1, ""))
	b := model.Batch{Y: make([]float32, 600), Bounds: []int{0, 200, 600}}
	for range 600 {
		b.X = append(b.X, make([]float32, 5))
	}
	grad, losses, params := make([]float32, n.Params()), make([]float64, 2), random(n.Params(), 1, 1)
	p := model.NewPass(threads)
	for _, limit := range []int{1, 1 << 20} {
		p.Limit(limit)
		calls := 0
		stop := model.Hooks{Step: func(int, int) bool { calls++; return false }}
		if n.SumGradient(grad, losses, p, params, b, stop) {
			require.Zero(t, calls, "the other thread did all")
		}
		require.True(t, n.SumGradient(grad, losses, p, params, b, model.Hooks{}))
	}
}
