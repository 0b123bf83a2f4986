package model_test

import (
	"math"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"tributary/shared/job"
	"tributary/shared/model"
	"tributary/shared/numeric"
)

func compile(t require.TestingT, loss job.Loss, features int, layers ...job.Layer) *model.Network {
	n, err := model.New(job.Model{Layers: layers}, loss, features)
	require.NoError(t, err)
	return n
}

func TestNewRefuses(t *testing.T) {
	for name, c := range map[string]struct {
		layers   []job.Layer
		loss     job.Loss
		features int
		message  string
	}{
		"no layers":     {nil, job.MSE, 1, "model.layers: 0 layers: want 1 to 256"},
		"many layers":   {make([]job.Layer, 257), job.MSE, 1, "model.layers: 257 layers: want 1 to 256"},
		"no features":   {[]job.Layer{layer(1, "")}, job.MSE, 0, "model: 0 input features: want at least 1"},
		"empty layer":   {[]job.Layer{layer(1, ""), {}}, job.MSE, 1, "model.layers[1].dense: missing"},
		"no units":      {[]job.Layer{layer(1, ""), layer(0, "")}, job.MSE, 1, "model.layers[1].dense.units: 0: want 1 to 1048576"},
		"many units":    {[]job.Layer{layer(1<<20+1, "")}, job.MSE, 1, "model.layers[0].dense.units: 1048577"},
		"many weights":  {[]job.Layer{layer(1<<20, ""), layer(1<<20, "")}, job.MSE, 1, "model.layers[1].dense.units: 1048576 × 1048576 weights"},
		"overflow":      {[]job.Layer{layer(1<<20, "")}, job.MSE, math.MaxInt, "model.layers[0].dense.units"},
		"too many":      {[]job.Layer{layer(1<<14, ""), layer(1<<14, "")}, job.MSE, 1, "parameters up to here: want at most 268435456"},
		"activation":    {[]job.Layer{layer(1, "swish")}, job.MSE, 1, `model.layers[0].dense.activation: "swish": want none, relu, tanh, sigmoid or gelu`},
		"loss":          {[]job.Layer{layer(1, "")}, "hinge", 1, `loss: "hinge": want softmax_cross_entropy`},
		"softmax of 1":  {[]job.Layer{layer(1, "")}, job.SoftmaxCrossEntropy, 1, "model.layers[0].dense.units: 1: softmax_cross_entropy wants an output per class"},
		"sigmoid of 2":  {[]job.Layer{layer(3, ""), layer(2, "")}, job.SigmoidCrossEntropy, 1, "model.layers[1].dense.units: 2: sigmoid_cross_entropy wants exactly 1"},
		"loss unstated": {[]job.Layer{layer(1, "")}, "", 1, `loss: ""`},
	} {
		t.Run(name, func(t *testing.T) {
			n, err := model.New(job.Model{Layers: c.layers}, c.loss, c.features)
			require.Nil(t, n)
			require.ErrorIs(t, err, job.ErrInvalid)
			require.ErrorContains(t, err, c.message)
		})
	}
}

func TestTensors(t *testing.T) {
	n := compile(t, job.SoftmaxCrossEntropy, 7, layer(5, job.ReLU), unbiased(4, ""), layer(3, job.NoActivation))
	require.Equal(t, []model.Tensor{
		{Name: "layers.0.weight", Shape: []int{5, 7}, Offset: 0, Len: 35, FanIn: 7, FanOut: 5},
		{Name: "layers.0.bias", Shape: []int{5}, Offset: 35, Len: 5, FanIn: 7, FanOut: 5},
		{Name: "layers.2.weight", Shape: []int{4, 5}, Offset: 40, Len: 20, FanIn: 5, FanOut: 4},
		{Name: "layers.3.weight", Shape: []int{3, 4}, Offset: 60, Len: 12, FanIn: 4, FanOut: 3},
		{Name: "layers.3.bias", Shape: []int{3}, Offset: 72, Len: 3, FanIn: 4, FanOut: 3},
	}, n.Tensors())
	require.Equal(t, []int{75, 7, 3}, []int{n.Params(), n.Features(), n.Outputs()})
	n.Tensors()[0].Shape[0] = 99
	require.Equal(t, 5, n.Tensors()[0].Shape[0], "a caller cannot change the network")
}

func TestInit(t *testing.T) {
	n := compile(t, job.MSE, 100, layer(50, job.ReLU), layer(2, ""))
	p, q := make([]float32, n.Params()), make([]float32, n.Params())
	extent := func(v []float32) (least, greatest float32) {
		least, greatest = v[0], v[0]
		for _, x := range v {
			least, greatest = min(least, x), max(greatest, x)
		}
		return least, greatest
	}
	n.Init(p, job.TorchUniform, 7)
	for _, x := range n.Tensors() {
		least, greatest := extent(p[x.Offset : x.Offset+x.Len])
		bound := float32(1 / math.Sqrt(float64(x.FanIn)))
		require.True(t, -bound <= least && greatest < bound && least < greatest, x.Name)
		if x.Len >= 50 {
			require.True(t, least < -0.8*bound && greatest > 0.8*bound, "%s fills its range", x.Name)
		}
	}
	n.Init(q, "", 7)
	require.Equal(t, p, q, "the default is torch_uniform, and a seed gives the same again")
	n.Init(q, job.TorchUniform, 8)
	require.NotEqual(t, p, q)

	n.Init(p, job.GlorotUniform, 7)
	least, greatest := extent(p[:5000])
	require.InDelta(t, -0.2, least, 0.002) // √(6/150)
	require.InDelta(t, 0.2, greatest, 0.002)
	require.Equal(t, make([]float32, 50), p[5000:5050])
	n.Init(p, job.Zeros, 7)
	require.Equal(t, make([]float32, n.Params()), p)
}

// A row's tensors do not shift when a layer is added behind them.
func TestInitOfATensorIsItsOwn(t *testing.T) {
	short, long := compile(t, job.MSE, 3, layer(4, "")), compile(t, job.MSE, 3, layer(4, ""), layer(5, ""))
	p, q := make([]float32, short.Params()), make([]float32, long.Params())
	short.Init(p, job.TorchUniform, 1)
	long.Init(q, job.TorchUniform, 1)
	require.Equal(t, p, q[:len(p)])
}

func TestNoRows(t *testing.T) {
	n, w := compile(t, job.MSE, 3, layer(4, job.GELU), layer(2, "")), model.NewWorkspace()
	grad := random(n.Params(), 1, 1)
	require.Zero(t, n.Gradient(grad, w, random(n.Params(), 2, 1), nil, nil, 0))
	require.Equal(t, make([]float32, n.Params()), grad)
	require.Empty(t, n.Forward(w, random(n.Params(), 2, 1), nil, 0))
	require.Zero(t, n.Loss(nil, nil, 0))
}

func TestNaNReachesTheLoss(t *testing.T) {
	nan := float32(math.NaN())
	for _, loss := range []job.Loss{job.SoftmaxCrossEntropy, job.MSE, job.HalfSquaredError} {
		for _, a := range []job.Activation{job.NoActivation, job.ReLU, job.Tanh, job.Sigmoid, job.GELU} {
			n := compile(t, loss, 3, layer(4, a), layer(2, ""))
			params, x, y := random(n.Params(), 1, 1), random(6, 2, 1), labels(loss, 2, 2)
			x[0] = 0 // 0·NaN is NaN
			grad, w := make([]float32, n.Params()), model.NewWorkspace()
			for i := range params {
				old := params[i]
				params[i] = nan
				require.True(t, math.IsNaN(n.Gradient(grad, w, params, x, y, 2)), "%s %s parameter %d", loss, a, i)
				params[i] = old
			}
			for i := range x {
				old := x[i]
				x[i] = nan
				require.True(t, math.IsNaN(n.Gradient(grad, w, params, x, y, 2)), "%s %s x %d", loss, a, i)
				x[i] = old
			}
			require.False(t, math.IsNaN(n.Gradient(grad, w, params, x, y, 2)))
		}
	}
}

func TestProbabilities(t *testing.T) {
	n := compile(t, job.SoftmaxCrossEntropy, 1, layer(2, ""))
	p := n.Probabilities(nil, []float32{0, 0, 1000, -1000}, 2)
	require.Equal(t, []float32{0.5, 0.5, 1, 0}, p)
	n = compile(t, job.SigmoidCrossEntropy, 1, layer(1, ""))
	z := []float32{0, 100}
	require.Equal(t, []float32{0.5, 1}, n.Probabilities(z, z, 2))
	n = compile(t, job.MSE, 1, layer(1, ""))
	require.Equal(t, []float32{3}, n.Probabilities(nil, []float32{3, 4}, 1))
}

// The bits do not depend on the workspace's past, on where the arguments lie
// in memory, or on what dst held.
func TestGradientIsPure(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		features, hidden := rapid.IntRange(1, 40).Draw(t, "features"), rapid.IntRange(1, 40).Draw(t, "hidden")
		rows := rapid.IntRange(1, 9).Draw(t, "rows")
		n := compile(t, job.MSE, features, layer(hidden, job.GELU), layer(2, job.Tanh))
		params, x, y := random(n.Params(), 1, 1), random(rows*features, 2, 1), labels(job.MSE, rows, 2)
		want, got, used := make([]float32, n.Params()), random(n.Params(), 9, 1), model.NewWorkspace()
		loss := n.Gradient(want, model.NewWorkspace(), params, x, y, rows)

		other := compile(t, job.MSE, features+3, layer(hidden+5, job.ReLU), layer(7, ""), layer(2, ""))
		other.Gradient(make([]float32, other.Params()), used, random(other.Params(), 6, 1), random((rows+2)*(features+3), 7, 1), labels(job.MSE, rows+2, 2), rows+2)
		skip := rapid.IntRange(0, 4).Draw(t, "skip")
		away := func(v []float32) []float32 {
			b := make([]float32, len(v)+skip)[skip:]
			copy(b, v)
			return b
		}
		require.Equal(t, loss, n.Gradient(got, used, away(params), away(x), away(y), rows))
		require.Equal(t, want, got)
	})
}

// Partials of a batch's parts add up to the whole's gradient, by any tree
// within rounding; by one tree, to the bit.
func TestGradientIsASum(t *testing.T) {
	const rows, features = 12, 6
	n := compile(t, job.SoftmaxCrossEntropy, features, layer(5, job.ReLU), layer(3, ""))
	params, x, y := random(n.Params(), 1, 1), random(rows*features, 2, 1), labels(job.SoftmaxCrossEntropy, rows, 3)
	w, whole := model.NewWorkspace(), make([]float32, n.Params())
	loss := n.Gradient(whole, w, params, x, y, rows)
	part := func(lo, hi int) ([]float32, float64) {
		g := make([]float32, n.Params())
		l := n.Gradient(g, w, params, x[lo*features:], y[lo:], hi-lo)
		return g, l
	}
	left, a := part(0, 8)
	right, b := part(8, 12)
	numeric.Add(left, left, right)
	require.InDelta(t, loss, a+b, 1e-12)
	require.InDeltaSlice(t, whole, left, 1e-5)
}

func TestNoAllocationInTheSteadyState(t *testing.T) {
	n := compile(t, job.SoftmaxCrossEntropy, 64, layer(32, job.GELU), layer(16, job.ReLU), layer(10, ""))
	params, x, y := random(n.Params(), 1, 1), random(64*32, 2, 1), labels(job.SoftmaxCrossEntropy, 32, 10)
	w, grad := model.NewWorkspace(), make([]float32, n.Params())
	n.Gradient(grad, w, params, x, y, 32)
	require.Zero(t, testing.AllocsPerRun(20, func() { n.Gradient(grad, w, params, x, y, 32) }))
	require.Zero(t, testing.AllocsPerRun(20, func() { n.Loss(n.Forward(w, params, x, 20), y, 20) }))
}

func BenchmarkGradient(b *testing.B) {
	const rows = 64
	n, err := model.New(job.Model{Layers: []job.Layer{layer(256, job.ReLU), layer(128, job.ReLU), layer(10, "")}}, job.SoftmaxCrossEntropy, 784)
	require.NoError(b, err)
	params, x, y := make([]float32, n.Params()), random(rows*784, 2, 1), labels(job.SoftmaxCrossEntropy, rows, 10)
	n.Init(params, job.TorchUniform, 1)
	w, grad := model.NewWorkspace(), make([]float32, n.Params())
	b.ReportAllocs()
	for b.Loop() {
		n.Gradient(grad, w, params, x, y, rows)
	}
	b.ReportMetric(float64(rows)*float64(b.N)/b.Elapsed().Seconds(), "rows/s")
}
