package executor_test

import (
	"math"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"tributary/shared/executor"
	"tributary/shared/job"
	"tributary/shared/model"
	"tributary/shared/numeric"
	"tributary/shared/numeric/team"
	"tributary/shared/objective"
)

// sequences is a network over sequences of tokens, with every kind of sum and a value with
// several uses:
//
//	h = embedding(tokens); a = relu(W₁ h + b₁); r = h + a + h; z = W₂ (r + o) + b₂
//
// z has a term at each position. With oneHot, the tokens are rows [vocabulary] of 0 and 1,
// and the embedding is a product.
type sequences struct {
	network
	length, vocabulary, units int
}

func newSequences(t require.TestingT, length, vocabulary, units int, oneHot bool) sequences {
	in := model.Input{Name: "tokens", Shape: model.Shape{Positions: length, Units: 1}, Integers: true}
	if oneHot {
		in = model.Input{Name: "tokens", Shape: model.Shape{Positions: length, Units: vocabulary}}
	}
	g := model.NewGraph("", in)
	dense := func(units int, a job.Activation, bias bool, x int) int {
		l, err := model.NewDense(g.Registry(), "layer", "layer", job.Dense{Units: units, Activation: a, Bias: &bias}, g.Shape(x))
		require.NoError(t, err)
		return g.Add(l, x)
	}
	var h int
	shape := model.Shape{Positions: length, Units: units}
	if oneHot {
		h = dense(units, "", false, 0)
	} else {
		h = g.Add(newLookup(g.Registry(), vocabulary, shape), 0)
	}
	a := dense(units, job.ReLU, true, h)
	r := g.Add(plus{shape}, h, a, h)
	r = g.Add(newOffset(g.Registry(), shape), r)
	dense(vocabulary, "", true, r)
	n, err := g.Build()
	require.NoError(t, err)
	of, err := objective.Of(job.SoftmaxCrossEntropy)
	require.NoError(t, err)
	return sequences{network{n, of}, length, vocabulary, units}
}

// tokens returns samples of pseudo-random tokens.
func (n sequences) tokens(samples int, index uint64) [][]int32 {
	r, all := numeric.NewRand(5, numeric.ForSynthetic, index, 0), make([][]int32, samples)
	for i := range all {
		for range n.length {
			all[i] = append(all[i], int32(r.Float32()*float32(n.vocabulary)))
		}
	}
	return all
}

// floats returns tokens as numbers: the targets.
func floats(tokens [][]int32) (y []float32) {
	for _, sample := range tokens {
		for _, k := range sample {
			y = append(y, float32(k))
		}
	}
	return y
}

// oneHot returns tokens as rows of 0 and 1.
func (n sequences) oneHot(tokens [][]int32) (x [][]float32) {
	for _, sample := range tokens {
		v := make([]float32, n.length*n.vocabulary)
		for i, k := range sample {
			v[i*n.vocabulary+int(k)] = 1
		}
		x = append(x, v)
	}
	return x
}

// loss64 computes the loss of one sample in float64, one number at a time.
func (n sequences) loss64(p []float64, tokens []int32, y []float32) (loss float64) {
	u, v := n.units, n.vocabulary
	embedding, rest := p[:v*u], p[v*u:]
	w1, b1, rest := rest[:u*u], rest[u*u:u*u+u], rest[u*u+u:]
	o, rest := rest[:u], rest[u:]
	w2, b2 := rest[:v*u], rest[v*u:]
	for i, token := range tokens {
		h, r, z := embedding[int(token)*u:][:u], make([]float64, u), make([]float64, v)
		for j := range r {
			a := b1[j]
			for k := range h {
				a += w1[j*u+k] * h[k]
			}
			r[j] = 2*h[j] + max(a, 0) + o[j]
		}
		for j := range z {
			z[j] = b2[j]
			for k := range r {
				z[j] += w2[j*u+k] * r[k]
			}
		}
		loss += loss64(job.SoftmaxCrossEntropy, z, y[i:i+1])
	}
	return loss
}

// Each element of the gradient of a graph equals the central difference of its twin.
func TestGradientOfAGraph(t *testing.T) {
	const samples, eps = 3, 1e-5
	n := newSequences(t, 4, 7, 5, false)
	params, tokens, y := random(n.Params(), 1, 0.8), n.tokens(samples, 1), floats(n.tokens(samples, 2))
	grad, losses := make([]float32, n.Params()), make([]float64, 1)
	b := executor.Batch{X: []executor.Field{{Int32: tokens}}, Y: y, Bounds: []int{0, samples}}
	require.NoError(t, executor.New(nil).Gradient(grad, losses, n.under(params), b, executor.Hooks{}))
	p := make([]float64, len(params))
	for i, v := range params {
		p[i] = float64(v)
	}
	total := func() (sum float64) {
		for i, sample := range tokens {
			sum += n.loss64(p, sample, y[i*n.length:])
		}
		return sum
	}
	require.InEpsilon(t, total(), losses[0], 1e-6)
	for i, v := range p {
		p[i] = v + eps
		up := total()
		p[i] = v - eps
		want := (up - total()) / (2 * eps)
		p[i] = v
		require.InDelta(t, want, grad[i], 1e-5*(1+math.Abs(want)), "parameter %d", i)
	}
}

// A batch of a graph is the sum of its micro-batches along the tree, with any number of
// threads, and also when it is computed in halves and slices.
func TestABatchOfAGraphIsTheSumOfItsMicrobatches(t *testing.T) {
	threads := team.New(3)
	defer threads.Close()
	passes := []*executor.Executor{executor.New(nil), executor.New(nil), executor.New(threads), executor.New(threads)}
	passes[1].Limit(1)
	rapid.Check(t, func(t *rapid.T) {
		n := newSequences(t, rapid.IntRange(1, 24).Draw(t, "length"), rapid.IntRange(2, 40).Draw(t, "vocabulary"), rapid.IntRange(1, 20).Draw(t, "units"), false)
		bounds := []int{0}
		for _, rows := range rapid.SliceOfN(rapid.IntRange(0, 30), 1, 6).Draw(t, "rows") {
			bounds = append(bounds, bounds[len(bounds)-1]+rows)
		}
		samples, leaves := bounds[len(bounds)-1], len(bounds)-1
		params, tokens, y := random(n.Params(), 1, 1), n.tokens(samples, 1), floats(n.tokens(samples, 2))
		x := []executor.Field{{Int32: tokens}}
		for i := range y {
			if rapid.IntRange(0, 20).Draw(t, "masked") == 0 {
				y[i] = job.Ignored
			}
		}
		m := n.under(params)
		m.Masked = true
		want, w := make([]float64, leaves), executor.New(nil)
		sum := sumOfLeaves(leaves, func(i int) []float32 {
			g := make([]float32, n.Params())
			leaf := executor.Batch{X: x, Y: y, First: bounds[i], Bounds: []int{0, bounds[i+1] - bounds[i]}}
			require.NoError(t, w.Gradient(g, want[i:i+1], m, leaf, executor.Hooks{}))
			return g
		})
		passes[3].Limit(rapid.IntRange(1, 40000).Draw(t, "limit"))
		for i, p := range passes {
			got, losses, final := random(n.Params(), 9, 1), make([]float64, leaves), 0
			b := executor.Batch{X: x, Y: y, Bounds: bounds}
			require.NoError(t, p.Gradient(got, losses, m, b, executor.Hooks{Final: func(lo, hi int) { final += hi - lo }}))
			require.Equal(t, sum, got, "pass %d", i)
			require.Equal(t, want, losses, "pass %d", i)
			require.Equal(t, n.Params(), final)
		}
	})
}

// A scatter has the bits of a product with rows of 0 and 1: an absent row is +0.
func TestAScatterIsAProductWithOneHotRows(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		length, vocabulary, units := rapid.IntRange(1, 9).Draw(t, "length"), rapid.IntRange(2, 50).Draw(t, "vocabulary"), rapid.IntRange(1, 9).Draw(t, "units")
		sparse, dense := newSequences(t, length, vocabulary, units, false), newSequences(t, length, vocabulary, units, true)
		bounds := []int{0}
		for _, rows := range rapid.SliceOfN(rapid.IntRange(0, 9), 1, 9).Draw(t, "rows") {
			bounds = append(bounds, bounds[len(bounds)-1]+rows)
		}
		samples := bounds[len(bounds)-1]
		tokens, y := sparse.tokens(samples, 1), floats(sparse.tokens(samples, 2))
		params, table := random(sparse.Params(), 1, 1), vocabulary*units
		turned := slices.Clone(params)
		transpose(turned[:table], params[:table], vocabulary, units)

		want, got, back := make([]float32, len(params)), make([]float32, len(params)), make([]float32, table)
		losses := [2][]float64{make([]float64, len(bounds)-1), make([]float64, len(bounds)-1)}
		b := executor.Batch{X: []executor.Field{{Float32: dense.oneHot(tokens)}}, Y: y, Bounds: bounds}
		require.NoError(t, executor.New(nil).Gradient(want, losses[0], dense.under(turned), b, executor.Hooks{}))
		b.X = []executor.Field{{Int32: tokens}}
		require.NoError(t, executor.New(nil).Gradient(got, losses[1], sparse.under(params), b, executor.Hooks{}))
		transpose(back, want[:table], units, vocabulary)
		require.Equal(t, bits(back), bits(got[:table]))
		require.Equal(t, bits(want[table:]), bits(got[table:]))
		require.Equal(t, losses[0], losses[1])
	})
}

// transpose sets dst [columns, rows] to the transpose of v [rows, columns].
func transpose(dst, v []float32, rows, columns int) {
	for i := range rows {
		for j := range columns {
			dst[j*rows+i] = v[i*columns+j]
		}
	}
}

func bits(v []float32) []uint32 {
	all := make([]uint32, len(v))
	for i, x := range v {
		all[i] = math.Float32bits(x)
	}
	return all
}

// Masked terms have no loss and no gradient. Without a mask, their class does not exist, and
// the loss is NaN.
func TestMaskedTerms(t *testing.T) {
	n := newSequences(t, 3, 5, 4, false)
	params, tokens, y := random(n.Params(), 1, 1), n.tokens(2, 1), floats(n.tokens(2, 2))
	gradient := func(y []float32, masked bool, x [][]int32) ([]float32, float64) {
		m, g, loss := n.under(params), make([]float32, n.Params()), make([]float64, 1)
		m.Masked = masked
		b := executor.Batch{X: []executor.Field{{Int32: x}}, Y: y, Bounds: []int{0, len(x)}}
		require.NoError(t, executor.New(nil).Gradient(g, loss, m, b, executor.Hooks{}))
		return g, loss[0]
	}
	first, loss := gradient(y[:3], false, tokens[:1])
	masked := append(slices.Clone(y[:3]), job.Ignored, job.Ignored, job.Ignored)
	got, gotLoss := gradient(masked, true, tokens)
	require.Equal(t, bits(first), bits(got))
	require.Equal(t, loss, gotLoss)
	_, loss = gradient(masked, false, tokens)
	require.True(t, math.IsNaN(loss))
	_, loss = gradient(y[:3], false, [][]int32{{0, 5, 1}}) // there is no token 5
	require.True(t, math.IsNaN(loss))
}

// A field of bytes has the bits of the same numbers as float32.
func TestBytesAreNumbers(t *testing.T) {
	g := model.NewGraph("", model.Input{Name: "image", Shape: model.Shape{Positions: 6, Units: 3}})
	l, err := model.NewDense(g.Registry(), "", "layer", job.Dense{Units: 2}, g.Shape(0))
	require.NoError(t, err)
	g.Add(l, 0)
	net, err := g.Build()
	require.NoError(t, err)
	of, err := objective.Of(job.MSE)
	require.NoError(t, err)
	n, params := network{net, of}, random(net.Params(), 1, 0.01)
	var bytes, numbers executor.Field
	for i := range 20 {
		image, same := make([]uint8, 18), make([]float32, 18)
		for j := range image {
			image[j] = uint8(37*i + 11*j)
			same[j] = float32(image[j])
		}
		bytes.Uint8, numbers.Float32 = append(bytes.Uint8, image), append(numbers.Float32, same)
	}
	var grads, outputs [2][]float32
	for i, x := range []executor.Field{bytes, numbers} {
		grads[i] = make([]float32, net.Params())
		b := executor.Batch{X: []executor.Field{x}, Y: random(20*12, 3, 1), Bounds: []int{0, 7, 20}}
		require.NoError(t, executor.New(nil).Gradient(grads[i], make([]float64, 2), n.under(params), b, executor.Hooks{}))
		require.NoError(t, executor.New(nil).Forward(n.under(params), b.X, 20, func(_, _ int, z []float32) error {
			outputs[i] = append(outputs[i], z...)
			return nil
		}))
	}
	require.Equal(t, grads[1], grads[0])
	require.Equal(t, outputs[1], outputs[0])
	require.Len(t, outputs[0], 20*12)
}

// What cannot be computed is refused when the graph is built.
func TestBuildRefuses(t *testing.T) {
	tokens := model.Input{Name: "tokens", Shape: model.Shape{Positions: 4, Units: 1}, Integers: true}
	shape := model.Shape{Positions: 4, Units: 2}
	for message, make := range map[string]func(g *model.Graph){
		"no layers":            func(*model.Graph) {},
		`input "x" has no use`: func(g *model.Graph) { g.Add(newLookup(g.Registry(), 3, shape), 0) },
		"node 0 has no use":    func(g *model.Graph) { g.Add(plus{shape}, 1); g.Add(newLookup(g.Registry(), 3, shape), 0) },
		"none is trainable":    func(g *model.Graph) { g.Add(plus{shape}, 0, 1) },
		"4 positions in, 3 out": func(g *model.Graph) {
			g.Add(newLookup(g.Registry(), 3, model.Shape{Positions: 3, Units: 2}), 0)
			g.Add(plus{}, 1, 2)
		},
		"a scatter by node 0: want an input": func(g *model.Graph) { g.Add(plus{shape}, 0, 1); g.Add(newLookup(g.Registry(), 3, shape), 2) },
		`integers of input "tokens"`: func(g *model.Graph) {
			g.Add(newOffset(g.Registry(), model.Shape{Positions: 4, Units: 1}), 0)
			g.Add(plus{}, 1, 2)
		},
	} {
		g := model.NewGraph("", tokens, model.Input{Name: "x", Shape: shape})
		make(g)
		_, err := g.Build()
		require.ErrorIs(t, err, job.ErrInvalid, message)
		require.ErrorContains(t, err, message)
	}
}
