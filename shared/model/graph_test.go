package model_test

import (
	"math"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"tributary/shared/job"
	"tributary/shared/model"
)

func layer(units int, a job.Activation) job.Layer {
	return job.Layer{Dense: &job.Dense{Units: units, Activation: a}}
}

func unbiased(units int, a job.Activation) job.Layer {
	no := false
	return job.Layer{Dense: &job.Dense{Units: units, Activation: a, Bias: &no}}
}

func compile(t require.TestingT, scheme job.Scheme, features int, layers ...job.Layer) *model.Network {
	n, err := model.New(job.Model{Layers: layers, Init: job.Init{Scheme: scheme}}, model.Table(features))
	require.NoError(t, err)
	return n
}

func initial(n *model.Network, seed uint64) []float32 {
	w := n.NewWeights()
	n.Init(w, seed)
	return w.Trained
}

func TestNewRefuses(t *testing.T) {
	for name, c := range map[string]struct {
		layers   []job.Layer
		features int
		message  string
	}{
		"no layers":    {nil, 1, "model.layers: 0 layers: want 1 to 256"},
		"many layers":  {make([]job.Layer, 257), 1, "model.layers: 257 layers: want 1 to 256"},
		"no features":  {[]job.Layer{layer(1, "")}, 0, "model: 0 input features: want at least 1"},
		"empty layer":  {[]job.Layer{layer(1, ""), {}}, 1, "model.layers[1]: 0 kinds of layer: want exactly one"},
		"no units":     {[]job.Layer{layer(1, ""), layer(0, "")}, 1, "model.layers[1].dense.units: 0: want 1 to 1048576"},
		"many units":   {[]job.Layer{layer(1<<20+1, "")}, 1, "model.layers[0].dense.units: 1048577"},
		"many weights": {[]job.Layer{layer(1<<20, ""), layer(1<<20, "")}, 1, "model.layers[1].dense.units: 1048576 × 1048576 weights"},
		"overflow":     {[]job.Layer{layer(1<<20, "")}, math.MaxInt, "model.layers[0].dense.units"},
		"too many":     {[]job.Layer{layer(1<<14, ""), layer(1<<14, "")}, 1, "parameters up to here: want at most 268435456"},
		"groups":       {[]job.Layer{layer(8, ""), {GroupNorm: &job.GroupNorm{Groups: 3, Norm: job.Norm{Epsilon: 1}}}, layer(1, "")}, 1, "model.layers[1].group_norm.groups: 3: want a divisor of the 8 units"},
		"no groups":    {[]job.Layer{layer(8, ""), {GroupNorm: &job.GroupNorm{Norm: job.Norm{Epsilon: 1}}}, layer(1, "")}, 1, "model.layers[1].group_norm.groups: 0: want"},
		"activation":   {[]job.Layer{layer(1, "swish")}, 1, `model.layers[0].dense.activation: "swish": want one of none, relu, tanh, sigmoid, gelu, gelu_tanh, silu, mish, softplus, leaky_relu, relu6, elu, selu, softsign, hard_sigmoid, hard_swish`},
	} {
		t.Run(name, func(t *testing.T) {
			n, err := model.New(job.Model{Layers: c.layers}, model.Table(c.features))
			require.Nil(t, n)
			require.ErrorIs(t, err, job.ErrInvalid)
			require.ErrorContains(t, err, c.message)
		})
	}
}

func TestTensors(t *testing.T) {
	n := compile(t, "", 7, layer(5, job.ReLU), unbiased(4, ""), layer(3, job.NoActivation))
	of := func(fanIn int) model.Initializer { return model.Uniform{Bound: float32(1 / math.Sqrt(float64(fanIn)))} }
	require.Equal(t, []model.Tensor{
		{Name: "layers.0.weight", Shape: []int{5, 7}, Group: model.Weight, Offset: 0, Len: 35, Init: of(7)},
		{Name: "layers.0.bias", Shape: []int{5}, Group: model.Bias, Offset: 35, Len: 5, Init: of(7)},
		{Name: "layers.2.weight", Shape: []int{4, 5}, Group: model.Weight, Offset: 40, Len: 20, Init: of(5)},
		{Name: "layers.3.weight", Shape: []int{3, 4}, Group: model.Weight, Offset: 60, Len: 12, Init: of(4)},
		{Name: "layers.3.bias", Shape: []int{3}, Group: model.Bias, Offset: 72, Len: 3, Init: of(4)},
	}, n.Tensors())
	require.Equal(t, []int{75, 7, 3, 7 + 5 + 4 + 3}, []int{n.Params(), n.Features(), n.Outputs(), n.Width()})
	n.Tensors()[0].Shape[0] = 99
	require.Equal(t, 5, n.Tensors()[0].Shape[0], "a caller cannot change the network")
}

func TestInit(t *testing.T) {
	layers := []job.Layer{layer(50, job.ReLU), layer(2, "")}
	extent := func(v []float32) (least, greatest float32) {
		least, greatest = v[0], v[0]
		for _, x := range v {
			least, greatest = min(least, x), max(greatest, x)
		}
		return least, greatest
	}
	n := compile(t, job.TorchUniform, 100, layers...)
	p := initial(n, 7)
	for i, x := range n.Tensors() {
		least, greatest := extent(p[x.Offset : x.Offset+x.Len])
		bound := float32(1 / math.Sqrt([]float64{100, 100, 50, 50}[i]))
		require.True(t, -bound <= least && greatest < bound && least < greatest, x.Name)
		if x.Len >= 50 {
			require.True(t, least < -0.8*bound && greatest > 0.8*bound, "%s fills its range", x.Name)
		}
	}
	require.Equal(t, p, initial(compile(t, "", 100, layers...), 7), "the default is torch_uniform, and a seed gives the same again")
	require.NotEqual(t, p, initial(n, 8))

	p = initial(compile(t, job.GlorotUniform, 100, layers...), 7)
	least, greatest := extent(p[:5000])
	require.InDelta(t, -0.2, least, 0.002) // √(6/150)
	require.InDelta(t, 0.2, greatest, 0.002)
	require.Equal(t, make([]float32, 50), p[5000:5050])
	require.Equal(t, make([]float32, n.Params()), initial(compile(t, job.Zeros, 100, layers...), 7))
}

// A card or a plan may nest residuals as deep as it likes; only so much of it is looked at.
func TestResidualsAreBounded(t *testing.T) {
	nested := []job.Layer{layer(2, "")}
	for range job.MaxNesting + 1 {
		nested = []job.Layer{{Residual: &job.Residual{Layers: nested}}}
	}
	refuse := func(layers []job.Layer, message string) {
		_, err := model.New(job.Model{Layers: layers}, model.Table(2))
		require.ErrorIs(t, err, job.ErrInvalid)
		require.ErrorContains(t, err, message)
	}
	refuse(nested, "16 residuals around it: want at most 16")
	_, err := model.New(job.Model{Layers: nested[0].Residual.Layers}, model.Table(2))
	require.NoError(t, err)

	wide := make([]job.Layer, model.MaxLayers)
	for i := range wide {
		wide[i] = layer(2, "")
	}
	block := job.Layer{Residual: &job.Residual{Layers: wide}}
	refuse([]job.Layer{block, block, block, block, layer(2, "")}, "the network has 1024 nodes before it: want at most 1024 in all")
	count := 0
	for range (&job.Model{Layers: []job.Layer{block, block, block, block, block, block}}).All() {
		count++
	}
	require.Equal(t, 1024, count)
	refuse([]job.Layer{{LayerNorm: &job.Norm{Epsilon: 1e-31}}, layer(2, "")}, "model.layers[0].layer_norm.epsilon: 1e-31: want 1e-30 to 1")
	norms := slices.Repeat([]job.Layer{{BatchNorm: &job.BatchNorm{Momentum: 0.1, Norm: job.Norm{Epsilon: 1e-5}}}}, 64)
	widest := layer(model.MaxUnits, "")
	refuse(append([]job.Layer{widest}, norms...), "model.layers[64].batch_norm") // running statistics count, too
	refuse([]job.Layer{{Residual: &job.Residual{}}}, "model.layers[0].residual.layers: 0 layers: want 1 to 256")
}

// Frozen tensors are in a separate vector. They have the same initial values as if they
// were trained.
func TestFrozenTensors(t *testing.T) {
	no := false
	frozen := job.Layer{Dense: &job.Dense{Units: 5, Trainable: &no}}
	n, whole := compile(t, "", 7, frozen, layer(3, "")), compile(t, "", 7, layer(5, ""), layer(3, ""))
	require.Equal(t, []int{5*3 + 3, 7*5 + 5}, []int{n.Params(), n.Frozen()})
	require.Equal(t, []bool{false, false, true}, []bool{n.Learns(0), n.Learns(1), n.Learns(2)})
	w, v := n.NewWeights(), whole.NewWeights()
	n.Init(w, 3)
	whole.Init(v, 3)
	for i, tensor := range n.Tensors() {
		require.Equal(t, i < 2, tensor.Frozen)
		require.Equal(t, v.Of(whole.Tensors()[i]), w.Of(tensor))
	}
	_, err := model.New(job.Model{Layers: []job.Layer{frozen}}, model.Table(7))
	require.ErrorIs(t, err, job.ErrInvalid)
	require.ErrorContains(t, err, "model.layers: none is trainable: want at least 1")
}

// The tensors of a layer do not change when a layer is added after it.
func TestInitOfATensorIsItsOwn(t *testing.T) {
	p := initial(compile(t, "", 3, layer(4, "")), 1)
	require.Equal(t, p, initial(compile(t, "", 3, layer(4, ""), layer(5, "")), 1)[:len(p)])
}

// The input of a node is the output of the node before it.
func TestTheGraphOfAStackIsAChain(t *testing.T) {
	n := compile(t, "", 7, layer(5, job.GELU), layer(3, ""))
	for i, units := range []int{5, 3} {
		require.Equal(t, []int{i}, n.Nodes()[i].Inputs)
		require.Equal(t, model.Shape{Positions: 1, Units: units}, n.Nodes()[i].Output())
	}
	require.Equal(t, model.Shape{Positions: 1, Units: 7}, n.Shape(0))
	require.Equal(t, model.Shape{Positions: 1, Units: 5}, n.Shape(1))
}
