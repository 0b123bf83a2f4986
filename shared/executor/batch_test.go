package executor_test

import (
	"errors"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"tributary/shared/executor"
	"tributary/shared/job"
	"tributary/shared/numeric/team"
)

// A batch is the sum of its micro-batches along the tree, with any number of threads, and
// also when it is too large to be computed at once.
func TestABatchIsTheSumOfItsMicrobatches(t *testing.T) {
	threads := team.New(2)
	defer threads.Close()
	passes := []*executor.Executor{executor.New(nil), executor.New(nil), executor.New(threads), executor.New(threads)}
	passes[1].Limit(1)
	rapid.Check(t, func(t *rapid.T) {
		features := rapid.IntRange(1, 20).Draw(t, "features")
		loss := rapid.SampledFrom([]job.Loss{job.MSE, job.SoftmaxCrossEntropy, job.SigmoidCrossEntropy, job.HalfSquaredError, job.AbsoluteError, job.Huber, job.Quantile, job.Poisson}).Draw(t, "loss")
		outputs := 3
		if loss == job.SigmoidCrossEntropy {
			outputs = 1
		}
		n := compile(t, loss, features, layer(rapid.IntRange(1, 40).Draw(t, "hidden"), job.GELU), layer(outputs, ""))
		b := executor.Batch{Bounds: []int{0}}
		for _, rows := range rapid.SliceOfN(rapid.IntRange(0, 40), 1, 9).Draw(t, "rows") {
			b.Bounds = append(b.Bounds, b.Bounds[len(b.Bounds)-1]+rows)
		}
		rows, leaves := b.Bounds[len(b.Bounds)-1], len(b.Bounds)-1
		params, x := random(n.Params(), 1, 1), random(rows*features, 2, 1)
		b.Y = labels(loss, rows, outputs)
		targets := len(b.Y) / max(1, rows)
		b.X = rowsOf(x, rows, features)
		want, w := make([]float64, leaves), executor.New(nil)
		sum := sumOfLeaves(leaves, func(i int) []float32 {
			g, from, to := make([]float32, n.Params()), b.Bounds[i], b.Bounds[i+1]
			want[i] = n.gradient(t, g, w, params, x[from*features:], b.Y[from*targets:], to-from)
			return g
		})
		passes[3].Limit(rapid.IntRange(1, 4000).Draw(t, "limit"))
		for i, p := range passes {
			got, losses, last := make([]float32, n.Params()), make([]float64, leaves), 0.0
			final := 0
			require.NoError(t, p.Gradient(got, losses, n.under(params), b, executor.Hooks{
				Step: func(done, all int) bool {
					require.GreaterOrEqual(t, float64(done)/float64(all), last)
					last = float64(done) / float64(all)
					return true
				},
				Final: func(lo, hi int) { final += hi - lo },
			}))
			require.Equal(t, sum, got, "pass %d", i)
			require.Equal(t, want, losses, "pass %d", i)
			require.Equal(t, n.Params(), final)
			require.LessOrEqual(t, last, 1.0)
		}
	})
}

// When the Step hook returns false, the computation ends, in threads and in halves too.
func TestAPassIsStopped(t *testing.T) {
	threads := team.New(2)
	defer threads.Close()
	n := compile(t, job.MSE, 5, layer(4, job.ReLU), layer(1, ""))
	b := executor.Batch{Y: make([]float32, 600), Bounds: []int{0, 200, 600}}
	b.X = rowsOf(make([]float32, 600*5), 600, 5)
	grad, losses, params := make([]float32, n.Params()), make([]float64, 2), random(n.Params(), 1, 1)
	p := executor.New(threads)
	for _, limit := range []int{1, 1 << 20} {
		p.Limit(limit)
		calls := 0
		stop := executor.Hooks{Step: func(int, int) bool { calls++; return false }}
		if err := p.Gradient(grad, losses, n.under(params), b, stop); !errors.Is(err, executor.ErrStopped) {
			require.NoError(t, err)
			require.Zero(t, calls, "the other thread did all")
		}
		require.NoError(t, p.Gradient(grad, losses, n.under(params), b, executor.Hooks{}))
	}
}

// The reported progress never goes back and never overflows, however many micro-batches
// and halves there are.
func TestProgressOfManyHalves(t *testing.T) {
	const leaves = 1 << 16
	n := compile(t, job.MSE, 1, layer(1, ""))
	b := executor.Batch{Y: make([]float32, leaves), Bounds: []int{0}}
	for i := range leaves {
		b.Bounds = append(b.Bounds, i+1)
	}
	b.X = rowsOf(make([]float32, leaves), leaves, 1)
	e := executor.New(nil)
	e.Limit(2 * n.Width() * leaves / 64)
	last, calls := 0.0, 0
	step := func(done, all int) bool {
		require.Equal(t, leaves, all)
		require.GreaterOrEqual(t, float64(done), last)
		require.LessOrEqual(t, done, all)
		last = float64(done)
		calls++
		return true
	}
	require.NoError(t, e.Gradient(make([]float32, n.Params()), make([]float64, leaves), n.under(make([]float32, 2)), b, executor.Hooks{Step: step}))
	require.Greater(t, calls, 64)
	require.EqualValues(t, leaves, last)
}
