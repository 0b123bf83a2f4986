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

// errorLoss is a loss over numbers: its value as a mean, its gradient, and a float64 twin of
// one term.
type errorLoss struct {
	add      func(s *LaneSum, z, y []float32)
	gradient func(d, z, y []float32, scale float64)
	twin     func(z, y float64) float64
	smooth   bool // it has a gradient everywhere
}

func errorLosses(delta, q float64) map[string]errorLoss {
	return map[string]errorLoss{
		"absolute": {
			(*LaneSum).AddAbsoluteError, AbsoluteErrorGradient,
			func(z, y float64) float64 { return math.Abs(z - y) }, false,
		},
		"huber": {
			func(s *LaneSum, z, y []float32) { s.AddHuber(z, y, delta) },
			func(d, z, y []float32, scale float64) { HuberGradient(d, z, y, delta, scale) },
			func(z, y float64) float64 {
				if r := math.Abs(z - y); r > delta {
					return delta * (r - delta/2)
				}
				return (z - y) * (z - y) / 2
			}, true,
		},
		"quantile": {
			func(s *LaneSum, z, y []float32) { s.AddQuantile(z, y, q) },
			func(d, z, y []float32, scale float64) { QuantileGradient(d, z, y, q, scale) },
			func(z, y float64) float64 { return math.Max(q*(y-z), (q-1)*(y-z)) }, false,
		},
		"poisson": {
			(*LaneSum).AddPoisson, PoissonGradient,
			func(z, y float64) float64 { return math.Exp(z) - y*z }, true,
		},
	}
}

func (l errorLoss) value(z, y []float32) float64 {
	var s LaneSum
	l.add(&s, z, y)
	return s.Value()
}

func TestErrorLossesByHand(t *testing.T) {
	z, y := []float32{3, 1, 2, -1}, []float32{1, 2, 2, 2} // errors 2, −1, 0, −3
	d := make([]float32, 4)
	l := errorLosses(1.5, 0.75)
	require.Equal(t, 6.0, l["absolute"].value(z, y))
	AbsoluteErrorGradient(d, z, y, 0.5)
	require.Equal(t, []float32{0.5, -0.5, 0, -0.5}, d)
	// 1.5·(2−0.75) + ½ + 0 + 1.5·(3−0.75)
	require.Equal(t, 1.875+0.5+3.375, l["huber"].value(z, y))
	HuberGradient(d, z, y, 1.5, 0.5)
	require.Equal(t, []float32{0.75, -0.5, 0, -0.75}, d)
	// ¼·2 + ¾·1 + 0 + ¾·3
	require.Equal(t, 0.5+0.75+2.25, l["quantile"].value(z, y))
	QuantileGradient(d, z, y, 0.75, 0.5)
	require.Equal(t, []float32{0.125, -0.375, 0, -0.375}, d)
	// e^0 − 3·0 + e^0 − 0
	require.Equal(t, 2.0, l["poisson"].value([]float32{0, 0}, []float32{3, 0}))
	PoissonGradient(d[:2], []float32{0, 0}, []float32{3, 0}, 0.5)
	require.Equal(t, []float32{-1, 0.5}, d[:2])
}

// Values equal the twin's, over any split into pieces of 16 elements. Gradients equal the
// twin's central differences.
func TestErrorLossesAgainstTwins(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		n := rapid.IntRange(0, 70).Draw(t, "n")
		z, y := floats(t, "z", n, 6), floats(t, "y", n, 6)
		for name, l := range errorLosses(rapid.Float64Range(0.1, 5).Draw(t, "delta"), rapid.Float64Range(0.01, 0.99).Draw(t, "q")) {
			if name == "poisson" {
				for i := range y {
					y[i] = max(y[i], -y[i])
				}
			}
			want, pieces := 0.0, LaneSum{}
			for i := range z {
				want += l.twin(float64(z[i]), float64(y[i]))
			}
			for lo := 0; lo < n; {
				hi := min(n, lo+16*rapid.IntRange(1, 3).Draw(t, "piece"))
				l.add(&pieces, z[lo:hi], y[lo:hi])
				lo = hi
			}
			require.InDelta(t, want, l.value(z, y), 1e-9*(1+math.Abs(want)), name)
			require.Equal(t, math.Float64bits(l.value(z, y)), math.Float64bits(pieces.Value()), name)
			d := make([]float32, n)
			l.gradient(d, z, y, 0.5)
			for i := range d {
				const eps = 1e-5
				v, label := float64(z[i]), float64(y[i])
				if !l.smooth && math.Abs(v-label) <= eps {
					continue
				}
				slope := (l.twin(v+eps, label) - l.twin(v-eps, label)) / (2 * eps)
				require.InDelta(t, slope/2, d[i], 1e-5*(1+math.Abs(slope)), name)
			}
			over := slices.Clone(z)
			l.gradient(over, over, y, 0.5)
			require.Equal(t, d, over, "in place")
			over = slices.Clone(y)
			l.gradient(over, z, over, 0.5)
			require.Equal(t, d, over, "in place")
		}
	})
}

func TestErrorLossesDoNotHideNaN(t *testing.T) {
	nan, inf := float32(math.NaN()), float32(math.Inf(1))
	for name, l := range errorLosses(1, 0.5) {
		for _, pair := range [][2]float32{{nan, 1}, {1, nan}, {inf, inf}} {
			require.True(t, math.IsNaN(l.value([]float32{0, pair[0]}, []float32{0, pair[1]})), name)
			d := make([]float32, 1)
			l.gradient(d, []float32{pair[0]}, []float32{pair[1]}, 1)
			require.Equal(t, uint32(0x7fc00000), math.Float32bits(d[0]), name)
		}
		require.True(t, math.IsInf(l.value([]float32{inf}, []float32{0}), 1) || name == "poisson", name)
	}
	poisson := errorLosses(1, 0.5)["poisson"]
	require.True(t, math.IsNaN(poisson.value([]float32{0, 1}, []float32{0, -1})), "a negative label")
	require.True(t, math.IsInf(poisson.value([]float32{129}, []float32{3}), 1))
	d := make([]float32, 2)
	PoissonGradient(d, []float32{129, -200}, []float32{3, 3}, 1)
	require.Equal(t, []float32{inf, -3}, d)
}

// ε = 0.2 over two classes: the targets are 0.9 and 0.1.
func TestSmoothedCrossEntropyByHand(t *testing.T) {
	terms, d := make([]float64, 1), make([]float32, 2)
	ln3 := float32(math.Log(3)) // softmax ¼, ¾
	SmoothedCrossEntropyRows(terms, d, []float32{0, ln3}, []float32{0}, 2, 0.2)
	require.InDelta(t, 0.9*math.Log(4)+0.1*math.Log(4.0/3), terms[0], 1e-7)
	require.InDelta(t, 0.25-0.9, d[0], 1e-7)
	require.InDelta(t, 0.75-0.1, d[1], 1e-7)
}

// Smoothed cross-entropy equals its definition and its central differences. Terms that are
// added later are those of the rows. A class that is not, and a NaN, make it NaN.
func TestSmoothedCrossEntropy(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		const eps = 1.0 / 1024
		classes, rows := rapid.IntRange(2, 40).Draw(t, "classes"), 2
		smoothing := rapid.Float64Range(0, 1).Draw(t, "smoothing")
		z, y := floats(t, "z", rows*classes, 8), []float32{float32(rapid.IntRange(0, classes-1).Draw(t, "y")), 1}
		value := func() float64 {
			var s RowSum
			s.AddSmoothedCrossEntropy(z, y, classes, smoothing)
			return s.Value()
		}
		terms, d := make([]float64, rows), make([]float32, len(z))
		SmoothedCrossEntropyRows(terms, d, z, y, classes, smoothing)
		var s RowSum
		s.AddTerms(terms)
		require.Equal(t, s.Value(), value())
		want := 0.0
		for r := range rows {
			row := z[r*classes : (r+1)*classes]
			lse := LogSumExp(row)
			for j, v := range row {
				target := smoothing / float64(classes)
				if j == int(y[r]) {
					target += 1 - smoothing
				}
				want += target * (lse - float64(v))
			}
		}
		require.InEpsilon(t, 1+want, 1+value(), 1e-12)
		for i, v := range z {
			z[i] = v + eps
			up, hi := value(), z[i]
			z[i] = v - eps
			down := value()
			require.InDelta(t, (up-down)/float64(hi-z[i]), d[i], 2e-6)
			z[i] = v
		}
		over := slices.Clone(z)
		SmoothedCrossEntropyRows(terms, over, over, y, classes, smoothing)
		require.Equal(t, d, over, "in place")
	})
	nan := float32(math.NaN())
	for _, c := range []struct{ z, y float32 }{{nan, 1}, {1, -100}, {1, 2}, {1, 0.5}, {1, nan}} {
		terms, d := make([]float64, 1), make([]float32, 2)
		SmoothedCrossEntropyRows(terms, d, []float32{c.z, 1}, []float32{c.y}, 2, 0.1)
		require.True(t, math.IsNaN(terms[0]))
	}
}

// errorDigest belongs to [Version], as digest does.
const errorDigest = "47e5fcc198256d3d"

// Every instruction set computes the digest.
func TestBitsOfErrorLosses(t *testing.T) {
	defer func(f *vector.Functions, k *vector.Kernels) { functions, kernels = f, k }(functions, kernels)
	for _, set := range isa.Available() {
		functions, kernels = vector.FunctionsOf(set), vector.Of(set)
		require.Equal(t, errorDigest, errorBits(), "%s on %s", Version, set)
	}
}

func errorBits() string {
	p := probe{hash: sha256.New(), rand: NewRand(2, ForSynthetic, 0, 0)}
	for _, n := range []int{1, 16, 53} {
		z, y := p.random(n, 9), p.random(n, 9)
		for i := range y {
			y[i] = max(y[i], -y[i])
		}
		d := make([]float32, n)
		losses := errorLosses(0.7, 0.9)
		for _, name := range []string{"absolute", "huber", "poisson", "quantile"} {
			losses[name].gradient(d, z, y, 1.0/3)
			p.add(d...)
			p.add64(losses[name].value(z, y))
		}
		terms := make([]float64, 1)
		SmoothedCrossEntropyRows(terms, d, z, []float32{float32(n / 2)}, n, 0.1)
		p.add(d...)
		p.add64(terms...)
	}
	return hex.EncodeToString(p.hash.Sum(nil)[:8])
}
