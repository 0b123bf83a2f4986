package executor_test

import (
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"tributary/shared/executor"
	"tributary/shared/job"
	"tributary/shared/numeric"
	"tributary/shared/numeric/team"
	"tributary/shared/tree"
)

func batchNormed() job.Layer {
	return job.Layer{BatchNorm: &job.BatchNorm{Momentum: 0.1, Norm: job.Norm{Epsilon: 1e-5}}}
}

// normalized draws a network with one to three batch normalisations.
func normalized(t *rapid.T, features int) network {
	units := rapid.IntRange(1, 70).Draw(t, "units")
	layers := []job.Layer{layer(units, ""), batchNormed(), {Activation: job.ReLU}}
	if rapid.Bool().Draw(t, "first") {
		layers = append([]job.Layer{batchNormed()}, layers...)
	}
	if rapid.Bool().Draw(t, "residual") {
		layers = append(layers, residual(layer(units, ""), batchNormed()), dropped(0.25))
	}
	return compile(t, job.MSE, features, append(layers, layer(2, ""))...)
}

// The gradients, the statistics and the losses have the same bits for any number of threads,
// for any budget, and for a batch that is computed micro-batch by micro-batch and added along
// the tree.
func TestBatchNormIsTheSameHoweverItIsComputed(t *testing.T) {
	threads := team.New(3)
	defer threads.Close()
	alone, together := executor.New(nil), executor.New(threads)
	rapid.Check(t, func(t *rapid.T) {
		features := rapid.IntRange(1, 20).Draw(t, "features")
		n := normalized(t, features)
		bounds := []int{0}
		for range rapid.IntRange(1, 6).Draw(t, "leaves") {
			bounds = append(bounds, bounds[len(bounds)-1]+rapid.SampledFrom([]int{0, 1, 2, 7, 16, 33, 90}).Draw(t, "rows"))
		}
		rows, leaves := bounds[len(bounds)-1], len(bounds)-1
		r := numeric.NewRand(7, numeric.ForSynthetic, rapid.Uint64().Draw(t, "seed"), 0)
		x, y, params := symmetric(r, rows*features), symmetric(r, rows*2), symmetric(r, n.Params())
		batch := executor.Batch{X: rowsOf(x, rows, features), Y: y, Bounds: bounds}

		want, losses := make([]float32, n.Params()), make([]float64, leaves)
		parts := make([][]float32, leaves)
		alone.Limit(executor.Budget / 4)
		for i := range parts {
			parts[i] = make([]float32, n.Params())
			part := executor.Batch{X: batch.X, Y: y, First: bounds[i], Bounds: []int{0, bounds[i+1] - bounds[i]}}
			require.NoError(t, alone.Gradient(parts[i], losses[i:i+1], n.under(params), part, executor.Hooks{}))
		}
		copy(want, along(parts))

		for name, e := range map[string]*executor.Executor{"alone": alone, "together": together} {
			for _, budget := range []int{executor.Budget / 4, 5 * n.Width() * 40, 1} {
				e.Limit(budget)
				got, gotLosses, final := make([]float32, n.Params()), make([]float64, leaves), make([]bool, n.Params())
				hooks := executor.Hooks{Final: func(lo, hi int) {
					for i := lo; i < hi; i++ {
						final[i] = true
					}
				}}
				require.NoError(t, e.Gradient(got, gotLosses, n.under(params), batch, hooks))
				require.Equal(t, want, got, "%s, budget %d", name, budget)
				require.Equal(t, losses, gotLosses)
				require.NotContains(t, final, false, "every range becomes final")
			}
		}
	})
}

// along adds vectors along the tree, in place.
func along(parts [][]float32) []float32 {
	if len(parts) == 1 {
		return parts[0]
	}
	mid := tree.Split(0, len(parts))
	left := along(parts[:mid])
	numeric.Add(left, left, along(parts[mid:]))
	return left
}

func symmetric(r *numeric.Rand, n int) []float32 {
	v := make([]float32, n)
	for i := range v {
		v[i] = r.Symmetric(1)
	}
	return v
}

// The statistics are the sums over a micro-batch, by a plain loop in float64.
func TestStatisticsByHand(t *testing.T) {
	n := compile(t, job.MSE, 1, batchNormed(), layer(1, ""))
	params := make([]float32, n.Params())
	n.Init(n.weights(params), 1)
	grad, e := make([]float32, n.Params()), executor.New(nil)
	n.gradient(t, grad, e, params, []float32{1, 2, 3, 6}, []float32{0, 0, 0, 0}, 4)
	require.Equal(t, 2, n.Statistics())
	require.Equal(t, []float32{12, 14 * 4.0 / 3}, grad[len(grad)-2:])
	require.Equal(t, []float32{0, 1}, params[len(params)-2:], "the running statistics before the first step")

	n.gradient(t, grad, e, params, []float32{5}, []float32{0}, 1)
	require.Equal(t, []float32{5, 0}, grad[len(grad)-2:], "one row has no variance")

	// Outside of training, an answer depends on its own row alone.
	copy(params[len(params)-2:], []float32{2, 4})
	three := n.forward(t, e, params, []float32{2, 4, 100}, 3)
	require.Equal(t, three[1:2], n.forward(t, e, params, []float32{4}, 1))
}
