package numeric

import (
	"crypto/sha256"
	"encoding/hex"
	"math"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"tributary/shared/numeric/internal/vector"
	"tributary/shared/numeric/isa"
)

// Two classes with the logits 0 and ln 3 have the probabilities ¼ and ¾.
func TestFocalLossByHand(t *testing.T) {
	ln3 := float32(math.Log(3))
	terms, d := make([]float64, 1), make([]float32, 2)
	SoftmaxCrossEntropyRows(terms, d, []float32{0, ln3}, []float32{0}, 2)
	FocalRows(terms, d, 2, 2)
	require.InDelta(t, 0.75*0.75*math.Log(4), terms[0], 1e-7)
	slope := 0.75*0.75 + 2*0.25*0.75*math.Log(4)
	require.InDelta(t, -0.75*slope, d[0], 1e-7)
	require.InDelta(t, 0.75*slope, d[1], 1e-7)

	SigmoidCrossEntropyRows(terms, d[:1], []float32{ln3}, []float32{1})
	require.InDelta(t, math.Log(4.0/3), terms[0], 1e-7)
	FocalRows(terms, d[:1], 0.5, 1)
	require.InDelta(t, 0.5*math.Log(4.0/3), terms[0], 1e-7)
}

// The focal loss equals its definition in package math, over the whole range of
// cross-entropies, and its slope the central difference.
func TestFocalLoss(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		l, gamma := math.Exp(rapid.Float64Range(-12, 4).Draw(t, "ln l")), rapid.Float64Range(0.1, 10).Draw(t, "gamma")
		twin := func(l float64) float64 { return math.Pow(-math.Expm1(-l), gamma) * l }
		value, slope := focal(l, gamma)
		require.InDelta(t, 1, value/twin(l), 1e-8)
		step := l / 1024
		require.InDelta(t, (twin(l+step)-twin(l-step))/(2*step), slope, 1e-4*slope)
	})
	value, slope := focal(0, 2)
	require.Zero(t, value)
	require.Less(t, slope, 1e-50)
	value, slope = focal(math.NaN(), 2)
	require.True(t, math.IsNaN(value) && math.IsNaN(slope))
	value, _ = focal(1000, 2)
	require.Equal(t, 1000.0, value)
}

// Terms that are added without a gradient are those of the rows.
func TestFocalSumsAreThoseOfTheRows(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		const classes = 3
		rows, gamma := rapid.IntRange(1, 9).Draw(t, "rows"), rapid.Float64Range(0.1, 5).Draw(t, "gamma")
		z, y := floats(t, "z", rows*classes, 9), make([]float32, rows*classes)
		for i := range y {
			y[i] = float32(rapid.IntRange(0, 1).Draw(t, "y"))
		}
		var rowwise, added RowSum
		terms, d := make([]float64, rows), make([]float32, len(z))
		SoftmaxCrossEntropyRows(terms, d, z, y[:rows], classes)
		FocalRows(terms, d, gamma, classes)
		rowwise.AddTerms(terms)
		added.AddFocalSoftmax(z, y[:rows], classes, gamma)
		require.Equal(t, rowwise, added)

		terms = make([]float64, len(z))
		SigmoidCrossEntropyRows(terms, d, z, y)
		gradient := slices.Clone(z)
		SigmoidCrossEntropyGradient(gradient, z, y)
		require.Equal(t, gradient, d)
		FocalRows(terms, d, gamma, 1)
		rowwise, added = RowSum{}, RowSum{}
		rowwise.AddTerms(terms)
		added.AddFocalSigmoid(z, y, gamma)
		require.Equal(t, rowwise, added)
	})
	terms, d := make([]float64, 1), make([]float32, 1)
	SigmoidCrossEntropyRows(terms, d, []float32{1}, []float32{0.5})
	require.True(t, math.IsNaN(terms[0]), "a label that is neither 0 nor 1")
}

func TestWeighRows(t *testing.T) {
	nan := float32(math.NaN())
	terms, d := []float64{2, math.Inf(1), 3, 1}, []float32{1, 2, nan, 4, 5, 6, 1, 1}
	WeighRows(terms, d, []float64{0.5, 0, 1, math.NaN()}, 2)
	require.Equal(t, []float64{1, 0, 3}, terms[:3])
	require.Equal(t, []float32{0.5, 1, 0, 0, 5, 6}, d[:6])
	require.True(t, math.IsNaN(terms[3]))
	require.Equal(t, uint32(0x7fc00000), math.Float32bits(d[6]))
	require.Equal(t, 1.5, Weigh(3, 0.5))
	require.Zero(t, Weigh(math.NaN(), 0))
}

// focalDigest belongs to [Version], as digest does.
const focalDigest = "2773a1653e453c95"

// Every instruction set computes the digest.
func TestBitsOfFocalAndWeightedLosses(t *testing.T) {
	defer func(f *vector.Functions, k *vector.Kernels) { functions, kernels = f, k }(functions, kernels)
	for _, set := range isa.Available() {
		functions, kernels = vector.FunctionsOf(set), vector.Of(set)
		require.Equal(t, focalDigest, focalBits(), "%s on %s", Version, set)
	}
}

func focalBits() string {
	p := probe{hash: sha256.New(), rand: NewRand(3, ForSynthetic, 0, 0)}
	const rows, classes = 17, 5
	for _, gamma := range []float64{0.5, 2, 5} {
		z, y := p.random(rows*classes, 9), make([]float32, rows*classes)
		for i := range y {
			y[i] = float32(i % 2)
		}
		terms, d := make([]float64, rows), make([]float32, len(z))
		SoftmaxCrossEntropyRows(terms, d, z, y[:rows], classes)
		FocalRows(terms, d, gamma, classes)
		weights := make([]float64, rows)
		for i := range weights {
			weights[i] = float64(i) / 7
		}
		WeighRows(terms, d, weights, classes)
		p.add(d...)
		p.add64(terms...)
		terms = make([]float64, len(z))
		SigmoidCrossEntropyRows(terms, d, z, y)
		FocalRows(terms, d, gamma, 1)
		p.add(d...)
		p.add64(terms...)
	}
	return hex.EncodeToString(p.hash.Sum(nil)[:8])
}
