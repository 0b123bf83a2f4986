package numeric

import (
	"math"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

func floats(t *rapid.T, name string, n int, bound float32) []float32 {
	return rapid.SliceOfN(rapid.Float32Range(-bound, bound), n, n).Draw(t, name)
}

func TestSoftmaxCrossEntropyHandValues(t *testing.T) {
	// Equal logits: every class has probability 1/4, the loss is ln 4.
	d := make([]float32, 4)
	require.InDelta(t, math.Log(4), SoftmaxCrossEntropy(d, []float32{3, 3, 3, 3}, []float32{2}, 4), 1e-15)
	require.Equal(t, []float32{0.25, 0.25, -0.75, 0.25}, d)
	// Logits that overflow if the maximum is not subtracted.
	loss := SoftmaxCrossEntropy(d[:2], []float32{1000, -1000}, []float32{1}, 2)
	require.Equal(t, 2000.0, loss)
	require.Equal(t, []float32{1, -1}, d[:2])
}

// The gradient equals the central differences of the loss. Float64 is precise enough
// because the loss is float64.
func TestSoftmaxCrossEntropyGradient(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		const rows, classes, eps = 2, 5, 1.0 / 1024
		z := floats(t, "z", rows*classes, 8)
		y := []float32{float32(rapid.IntRange(0, 4).Draw(t, "y0")), 3}
		d := make([]float32, len(z))
		loss := SoftmaxCrossEntropy(d, z, y, classes)
		require.Equal(t, loss, SoftmaxCrossEntropy(nil, z, y, classes))
		for i, v := range z {
			z[i] = v + eps
			up := SoftmaxCrossEntropy(nil, z, y, classes)
			hi := z[i]
			z[i] = v - eps
			down := SoftmaxCrossEntropy(nil, z, y, classes)
			require.InDelta(t, (up-down)/float64(hi-z[i]), d[i], 2e-6)
			z[i] = v
		}
		p := make([]float32, len(z))
		Softmax(p, z, classes)
		require.InDelta(t, 1, Sum(p[:classes]), 1e-6)
	})
}

// Each quotient of softmax is rounded once. That of the own class is rounded after 1 is
// subtracted.
func TestSoftmaxIsRoundedOnce(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		n := rapid.IntRange(1, 70).Draw(t, "classes")
		z := floats(t, "z", n, 30)
		own := rapid.IntRange(0, n-1).Draw(t, "class")
		p, d := make([]float32, n), make([]float32, n)
		Softmax(p, z, n)
		SoftmaxCrossEntropy(d, z, []float32{float32(own)}, n)
		lse := LogSumExp(z)
		for j, v := range z {
			want := math.Exp(float64(v) - lse)
			require.InEpsilon(t, want, p[j], 0x1.01p-24)
			if j == own {
				slope := math.Expm1(float64(v) - lse)
				require.InDelta(t, slope, d[j], 0x1p-36-0x1p-24*slope)
			} else {
				require.Equal(t, p[j], d[j])
			}
		}
	})
}

func TestLogSumExp(t *testing.T) {
	require.InDelta(t, 1000+math.Log(3), LogSumExp([]float32{1000, 1000, 1000}), 1e-12)
	require.Equal(t, 7.0, LogSumExp([]float32{7}))
	require.True(t, math.IsNaN(LogSumExp([]float32{1, float32(math.NaN()), 2})))
}

func TestSigmoidCrossEntropy(t *testing.T) {
	d := make([]float32, 2)
	require.InDelta(t, 2*math.Ln2, SigmoidCrossEntropy(d, []float32{0, 0}, []float32{0, 1}), 2*math.Ln2*0x1p-37)
	require.Equal(t, []float32{0.5, -0.5}, d)
	require.Equal(t, 1000.0, SigmoidCrossEntropy(d[:1], []float32{1000}, []float32{0}))
	require.InDelta(t, 0, SigmoidCrossEntropy(d[:1], []float32{1000}, []float32{1}), 1e-55)
	rapid.Check(t, func(t *rapid.T) {
		z := rapid.Float32Range(-30, 30).Draw(t, "z")
		for _, y := range []float32{0, 1} {
			got := SigmoidCrossEntropy(d[:1], []float32{z}, []float32{y})
			p := 1 / (1 + math.Exp(-float64(z)))
			want := -math.Log(p)
			if y == 0 {
				want = math.Log1p(math.Exp(float64(z)))
			}
			require.InDelta(t, want, got, 1e-6*(1+want))
			require.InDelta(t, p-float64(y), d[0], 1e-7)
		}
	})
}

// ŷ = 2.5 … 11.5, y = 3 … 12: ten residuals of ½, so ½·(10·¼) = 1.25.
func TestHalfSquaredErrorExample(t *testing.T) {
	var z, y, d [10]float32
	for i := range z {
		z[i], y[i] = 2.5+float32(i), 3+float32(i)
	}
	require.Equal(t, 1.25, SquaredError(d[:], z[:], y[:], 0.5))
	for _, g := range d {
		require.Equal(t, float32(-0.5), g) // ŷ − y
	}
}

func TestLossesDoNotHideNaN(t *testing.T) {
	nan := float32(math.NaN())
	inf := float32(math.Inf(1))
	for name, loss := range map[string]float64{
		"softmax, first":    SoftmaxCrossEntropy(nil, []float32{nan, 1, 2}, []float32{1}, 3),
		"softmax, last":     SoftmaxCrossEntropy(nil, []float32{1, 2, nan}, []float32{1}, 3),
		"softmax, infinite": SoftmaxCrossEntropy(nil, []float32{1, 2, inf}, []float32{1}, 3),
		"class too great":   SoftmaxCrossEntropy(nil, []float32{1, 2}, []float32{2}, 2),
		"class negative":    SoftmaxCrossEntropy(nil, []float32{1, 2}, []float32{-1}, 2),
		"class fractional":  SoftmaxCrossEntropy(nil, []float32{1, 2}, []float32{0.5}, 2),
		"class NaN":         SoftmaxCrossEntropy(make([]float32, 2), []float32{1, 2}, []float32{nan}, 2),
		"sigmoid":           SigmoidCrossEntropy(nil, []float32{1, nan}, []float32{1, 1}),
		"sigmoid label":     SigmoidCrossEntropy(nil, []float32{1, 1}, []float32{1, 2}),
		"squared":           SquaredError(nil, []float32{1, nan}, []float32{1, 1}, 0.5),
	} {
		require.True(t, math.IsNaN(loss), "%s: %v", name, loss)
	}
	v := []float32{nan, -1, 1}
	for name, f := range map[string]func([]float32){
		"relu": ReLU, "tanh": Tanh, "sigmoid": Sigmoid, "gelu": func(y []float32) { GELU(y, y) },
	} {
		y := append([]float32(nil), v...)
		f(y)
		require.True(t, math.IsNaN(float64(y[0])), name)
		require.True(t, AllFinite(y[1:]), name)
	}
}
