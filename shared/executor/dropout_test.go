package executor_test

import (
	"math"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"tributary/shared/executor"
	"tributary/shared/job"
	"tributary/shared/model"
	"tributary/shared/numeric/team"
)

func dropped(rate float64) job.Layer { return job.Layer{Dropout: &job.Dropout{Rate: rate}} }

func residual(layers ...job.Layer) job.Layer {
	return job.Layer{Residual: &job.Residual{Layers: layers}}
}

// What is dropped depends on the seed, the step, the sample and the layer. It does not
// depend on micro-batches, halves, slices and threads.
func TestDropoutDoesNotDependOnTheSplit(t *testing.T) {
	threads := team.New(3)
	defer threads.Close()
	passes := []*executor.Executor{executor.New(nil), executor.New(nil), executor.New(threads), executor.New(threads)}
	passes[1].Limit(1)
	rapid.Check(t, func(t *rapid.T) {
		features := rapid.IntRange(1, 20).Draw(t, "features")
		n := compile(t, job.MSE, features, dropped(0.2), layer(rapid.IntRange(1, 40).Draw(t, "hidden"), job.GELU), dropped(0.5),
			residual(job.Layer{LayerNorm: &job.Norm{Epsilon: 1e-5}}, dropped(0.1)), layer(2, ""))
		bounds := []int{0}
		for _, rows := range rapid.SliceOfN(rapid.IntRange(0, 40), 1, 7).Draw(t, "rows") {
			bounds = append(bounds, bounds[len(bounds)-1]+rows)
		}
		rows, leaves := bounds[len(bounds)-1], len(bounds)-1
		params, x, y := random(n.Params(), 1, 1), rowsOf(random(rows*features, 2, 1), rows, features), labels(job.MSE, rows, 2)
		training := model.Training{Seed: 7, Step: rapid.Int64Range(0, 1<<24).Draw(t, "step"), Sample: rapid.IntRange(0, 1000).Draw(t, "sample")}
		want, w := make([]float64, leaves), executor.New(nil)
		sum := sumOfLeaves(leaves, func(i int) []float32 {
			g := make([]float32, n.Params())
			leaf := executor.Batch{X: x, Y: y, First: bounds[i], Bounds: []int{0, bounds[i+1] - bounds[i]}, Training: training}
			require.NoError(t, w.Gradient(g, want[i:i+1], n.under(params), leaf, executor.Hooks{}))
			return g
		})
		passes[3].Limit(rapid.IntRange(1, 8000).Draw(t, "limit"))
		for i, p := range passes {
			got, losses := make([]float32, n.Params()), make([]float64, leaves)
			b := executor.Batch{X: x, Y: y, Bounds: bounds, Training: training}
			require.NoError(t, p.Gradient(got, losses, n.under(params), b, executor.Hooks{}))
			require.Equal(t, sum, got, "pass %d", i)
			require.Equal(t, want, losses, "pass %d", i)
		}
	})
}

// The loss is quadratic in each parameter, so a central difference is its derivative. All
// passes drop the same numbers.
func TestGradientThroughDropout(t *testing.T) {
	const rows, features = 9, 5
	n := compile(t, job.MSE, features, dropped(0.3), layer(6, ""), dropped(0.5), layer(2, ""))
	params, x, y := random(n.Params(), 1, 1), rowsOf(random(rows*features, 2, 1), rows, features), labels(job.MSE, rows, 2)
	e, grad, losses := executor.New(nil), make([]float32, n.Params()), make([]float64, 1)
	b := executor.Batch{X: x, Y: y, Bounds: []int{0, rows}, Training: model.Training{Seed: 3, Step: 11}}
	loss := func() float64 {
		require.NoError(t, e.Gradient(make([]float32, n.Params()), losses, n.under(params), b, executor.Hooks{}))
		return losses[0]
	}
	require.NoError(t, e.Gradient(grad, losses, n.under(params), b, executor.Hooks{}))
	zeros := 0
	for i, v := range params {
		params[i] = v + 0.25
		up := loss()
		params[i] = v - 0.25
		down := loss()
		params[i] = v
		require.InDelta(t, (up-down)/0.5, grad[i], 1e-4*(1+math.Abs(float64(grad[i]))), "parameter %d", i)
		if grad[i] == 0 {
			zeros++
		}
	}
	require.Less(t, zeros, n.Params()/2)
}

// Dropout drops the given fraction, keeps the mean, and differs from step to step,
// sample to sample and layer to layer. Without training it does nothing.
func TestWhatDropoutDrops(t *testing.T) {
	const rows, units = 64, 50
	n := compile(t, job.MSE, units, dropped(0.25), layer(1, ""))
	ones, y := make([]float32, rows*units), make([]float32, rows)
	for i := range ones {
		ones[i] = 1
	}
	for i := range y {
		y[i] = -0.5 // with weights of 0: d loss / d ŷ is 1 for each row
	}
	// The gradient of weight j is the sum over the rows of what is left of feature j.
	left := func(step int64, first, count int) []float32 {
		grad := make([]float32, n.Params())
		b := executor.Batch{X: rowsOf(ones, rows, units), Y: y, Bounds: []int{0, count}, Training: model.Training{Step: step, Sample: first}}
		require.NoError(t, executor.New(nil).Gradient(grad, make([]float64, 1), n.under(make([]float32, n.Params())), b, executor.Hooks{}))
		return grad[:units]
	}
	sum := 0.0
	for _, v := range left(0, 0, rows) {
		sum += float64(v)
	}
	require.InDelta(t, rows*units, sum, 0.05*rows*units) // the mean stays; 4.9 standard deviations
	for _, v := range left(5, 3, 1) {
		require.Contains(t, []float32{0, 4.0 / 3}, v)
	}
	require.NotEqual(t, left(0, 0, 1), left(1, 0, 1))
	require.NotEqual(t, left(0, 0, 1), left(0, 1, 1))
	require.Equal(t, left(2, 9, 1), left(2, 9, 1))

	plain := compile(t, job.MSE, units, layer(1, ""))
	params, x := random(n.Params(), 1, 1), random(rows*units, 2, 1)
	require.Equal(t, plain.forward(t, executor.New(nil), params, x, rows), n.forward(t, executor.New(nil), params, x, rows))
}
