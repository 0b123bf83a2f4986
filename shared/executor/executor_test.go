package executor_test

import (
	"math"
	"strconv"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"tributary/shared/executor"
	"tributary/shared/job"
	"tributary/shared/model"
	"tributary/shared/numeric"
	"tributary/shared/numeric/team"
)

func TestNoRows(t *testing.T) {
	n, w := compile(t, job.MSE, 3, layer(4, job.GELU), layer(2, "")), executor.New(nil)
	grad := random(n.Params(), 1, 1)
	require.Zero(t, n.gradient(t, grad, w, random(n.Params(), 2, 1), nil, nil, 0))
	require.Equal(t, make([]float32, n.Params()), grad)
	require.Empty(t, n.forward(t, w, random(n.Params(), 2, 1), nil, 0))
	require.Zero(t, n.loss(nil, nil))
}

func TestNaNReachesTheLoss(t *testing.T) {
	nan := float32(math.NaN())
	for _, loss := range []job.Loss{job.SoftmaxCrossEntropy, job.MSE, job.HalfSquaredError} {
		for _, a := range []job.Activation{job.NoActivation, job.ReLU, job.Tanh, job.Sigmoid, job.GELU} {
			n := compile(t, loss, 3, layer(4, a), layer(2, ""))
			params, x, y := random(n.Params(), 1, 1), random(6, 2, 1), labels(loss, 2, 2)
			x[0] = 0 // 0·NaN is NaN
			grad, w := make([]float32, n.Params()), executor.New(nil)
			for i := range params {
				old := params[i]
				params[i] = nan
				require.True(t, math.IsNaN(n.gradient(t, grad, w, params, x, y, 2)), "%s %s parameter %d", loss, a, i)
				params[i] = old
			}
			for i := range x {
				old := x[i]
				x[i] = nan
				require.True(t, math.IsNaN(n.gradient(t, grad, w, params, x, y, 2)), "%s %s x %d", loss, a, i)
				x[i] = old
			}
			require.False(t, math.IsNaN(n.gradient(t, grad, w, params, x, y, 2)))
		}
	}
}

// The bits do not depend on what the executor computed before, on the addresses of the
// arguments, or on the earlier contents of dst.
func TestGradientIsPure(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		features, hidden := rapid.IntRange(1, 40).Draw(t, "features"), rapid.IntRange(1, 40).Draw(t, "hidden")
		rows := rapid.IntRange(1, 9).Draw(t, "rows")
		n := compile(t, job.MSE, features, layer(hidden, job.GELU), layer(2, job.Tanh))
		params, x, y := random(n.Params(), 1, 1), random(rows*features, 2, 1), labels(job.MSE, rows, 2)
		want, got, used := make([]float32, n.Params()), random(n.Params(), 9, 1), executor.New(nil)
		loss := n.gradient(t, want, executor.New(nil), params, x, y, rows)

		other := compile(t, job.MSE, features+3, layer(hidden+5, job.ReLU), layer(7, ""), layer(2, ""))
		other.gradient(t, make([]float32, other.Params()), used, random(other.Params(), 6, 1), random((rows+2)*(features+3), 7, 1), labels(job.MSE, rows+2, 2), rows+2)
		skip := rapid.IntRange(0, 4).Draw(t, "skip")
		away := func(v []float32) []float32 {
			b := make([]float32, len(v)+skip)[skip:]
			copy(b, v)
			return b
		}
		require.Equal(t, loss, n.gradient(t, got, used, away(params), away(x), away(y), rows))
		require.Equal(t, want, got)
	})
}

// The partials of the parts of a batch add up to the gradient of the whole batch: along
// another tree within rounding, along the same tree bit for bit.
func TestGradientIsASum(t *testing.T) {
	const rows, features = 12, 6
	n := compile(t, job.SoftmaxCrossEntropy, features, layer(5, job.ReLU), layer(3, ""))
	params, x, y := random(n.Params(), 1, 1), random(rows*features, 2, 1), labels(job.SoftmaxCrossEntropy, rows, 3)
	w, whole := executor.New(nil), make([]float32, n.Params())
	loss := n.gradient(t, whole, w, params, x, y, rows)
	part := func(lo, hi int) ([]float32, float64) {
		g := make([]float32, n.Params())
		l := n.gradient(t, g, w, params, x[lo*features:], y[lo:], hi-lo)
		return g, l
	}
	left, a := part(0, 8)
	right, b := part(8, 12)
	numeric.Add(left, left, right)
	require.InDelta(t, loss, a+b, 1e-12)
	require.InDeltaSlice(t, whole, left, 1e-5)
}

// The outputs of a row do not depend on the rows beside it, the number of threads or
// what was computed before.
func TestARowIsItsOwn(t *testing.T) {
	threads := team.New(3)
	defer threads.Close()
	all, one := executor.New(threads), executor.New(nil)
	rapid.Check(t, func(t *rapid.T) {
		features, rows := rapid.IntRange(1, 70).Draw(t, "features"), rapid.IntRange(1, 90).Draw(t, "rows")
		a := rapid.SampledFrom([]job.Activation{job.NoActivation, job.ReLU, job.GELU}).Draw(t, "activation")
		n := compile(t, job.MSE, features, layer(rapid.IntRange(1, 90).Draw(t, "hidden"), a), unbiased(4, job.Tanh), layer(rapid.IntRange(1, 40).Draw(t, "outputs"), ""))
		params, x := random(n.Params(), 1, 1), random(rows*features, 2, 1)
		z := n.forward(t, all, params, x, rows)
		for lo := 0; lo < rows; {
			hi := min(rows, lo+rapid.IntRange(1, 9).Draw(t, "some"))
			require.Equal(t, z[lo*n.Outputs():hi*n.Outputs()], n.forward(t, one, params, x[lo*features:hi*features], hi-lo))
			lo = hi
		}
	})
}

func TestNoAllocationInTheSteadyState(t *testing.T) {
	const rows = 32
	norm := job.Layer{LayerNorm: &job.Norm{Epsilon: 1e-5}}
	n := compile(t, job.SoftmaxCrossEntropy, 64, layer(32, job.GELU), residual(norm, dropped(0.2)), layer(16, job.ReLU), layer(10, ""))
	params, e, grad, losses := random(n.Params(), 1, 1), executor.New(nil), make([]float32, n.Params()), make([]float64, 2)
	b := executor.Batch{X: rowsOf(random(64*rows, 2, 1), rows, 64), Y: labels(job.SoftmaxCrossEntropy, rows, 10), Bounds: []int{0, 20, rows}}
	gradient := func() { require.NoError(t, e.Gradient(grad, losses, n.under(params), b, executor.Hooks{})) }
	forward := func() {
		require.NoError(t, e.Forward(n.under(params), b.X, 20, func(int, int, []float32) error { return nil }))
	}
	gradient()
	forward()
	require.Zero(t, testing.AllocsPerRun(20, gradient))
	require.Zero(t, testing.AllocsPerRun(20, forward))
}

func BenchmarkGradient(b *testing.B) {
	const rows = 64
	n := compile(b, job.SoftmaxCrossEntropy, 784, layer(256, job.ReLU), layer(128, job.ReLU), layer(10, ""))
	params, grad, losses := make([]float32, n.Params()), make([]float32, n.Params()), make([]float64, 1)
	n.Init(model.Weights{Trained: params}, 1)
	batch := executor.Batch{X: rowsOf(random(rows*784, 2, 1), rows, 784), Y: labels(job.SoftmaxCrossEntropy, rows, 10), Bounds: []int{0, rows}}
	e := executor.New(nil)
	b.ReportAllocs()
	for b.Loop() {
		require.NoError(b, e.Gradient(grad, losses, n.under(params), batch, executor.Hooks{}))
	}
	b.ReportMetric(float64(rows)*float64(b.N)/b.Elapsed().Seconds(), "rows/s")
}

// BenchmarkForward measures prediction. Few rows read all weights; many rows share one
// read.
func BenchmarkForward(b *testing.B) {
	n := compile(b, job.SoftmaxCrossEntropy, 784, layer(256, job.ReLU), layer(128, job.ReLU), layer(10, ""))
	params := make([]float32, n.Params())
	n.Init(model.Weights{Trained: params}, 1)
	for _, rows := range []int{1, 4, 8, 64, 256} {
		b.Run(strconv.Itoa(rows), func(b *testing.B) {
			x, e := rowsOf(random(rows*784, 2, 1), rows, 784), executor.New(nil)
			for b.Loop() {
				require.NoError(b, e.Forward(n.under(params), x, rows, func(int, int, []float32) error { return nil }))
			}
		})
	}
}
