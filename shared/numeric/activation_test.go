package numeric

import (
	"math"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

// Every backward equals the central differences of a float64 twin.
func TestActivationBackward(t *testing.T) {
	for name, f := range map[string]struct {
		twin     func(float64) float64
		backward func(d, x []float32)
	}{
		"relu": {
			func(x float64) float64 { return math.Max(x, 0) },
			func(d, x []float32) { ReLU(x); ReLUBackward(d, x) },
		},
		"tanh":     {math.Tanh, func(d, x []float32) { Tanh(x); TanhBackward(d, x) }},
		"sigmoid":  {func(x float64) float64 { return 1 / (1 + math.Exp(-x)) }, func(d, x []float32) { Sigmoid(x); SigmoidBackward(d, x) }},
		"silu":     {func(x float64) float64 { return x / (1 + math.Exp(-x)) }, SiLUBackward},
		"mish":     {func(x float64) float64 { return x * math.Tanh(math.Log1p(math.Exp(x))) }, MishBackward},
		"softplus": {func(x float64) float64 { return math.Log1p(math.Exp(x)) }, SoftplusBackward},
		"elu":      {func(x float64) float64 { return math.Max(x, 0) + math.Expm1(math.Min(x, 0)) }, ELUBackward},
		"selu": {func(x float64) float64 {
			return 1.0507009873554805 * (math.Max(x, 0) + 1.6732632423543772*math.Expm1(math.Min(x, 0)))
		}, SELUBackward},
		"softsign":     {func(x float64) float64 { return x / (1 + math.Abs(x)) }, SoftsignBackward},
		"hard sigmoid": {func(x float64) float64 { return math.Min(math.Max(x+3, 0), 6) / 6 }, HardSigmoidBackward},
		"hard swish":   {func(x float64) float64 { return x * math.Min(math.Max(x+3, 0), 6) / 6 }, HardSwishBackward},
		"gelu by tanh": {func(x float64) float64 {
			return x * (1 + math.Tanh(math.Sqrt(2/math.Pi)*(x+0.044715*x*x*x))) / 2
		}, GELUTanhBackward},
		"leaky relu": {func(x float64) float64 { return math.Max(x, 0.01*x) }, func(d, x []float32) { LeakyReLU(x); LeakyReLUBackward(d, x) }},
		"relu 6":     {func(x float64) float64 { return math.Min(math.Max(x, 0), 6) }, func(d, x []float32) { ReLU6(x); ReLU6Backward(d, x) }},
		"gelu":       {func(x float64) float64 { return x * math.Erfc(-x/math.Sqrt2) / 2 }, GELUBackward},
	} {
		t.Run(name, func(t *testing.T) {
			rapid.Check(t, func(t *rapid.T) {
				offKink := func(x float32) bool {
					return math.Abs(float64(x)) > 1e-4 && math.Abs(math.Abs(float64(x))-3) > 1e-4 && x < 5.999
				}
				x := rapid.Float32Range(-6, 6).Filter(offKink).Draw(t, "x")
				g := rapid.Float32Range(-2, 2).Draw(t, "g")
				const eps = 1e-5
				d := []float32{g}
				f.backward(d, []float32{x})
				slope := (f.twin(float64(x)+eps) - f.twin(float64(x)-eps)) / (2 * eps)
				require.InDelta(t, float64(g)*slope, d[0], 4e-6)
			})
		})
	}
}

func TestActivationValues(t *testing.T) {
	y := []float32{-2, 0, 3, -1}
	ReLU(y)
	require.Equal(t, []float32{0, 0, 3, 0}, y)
	y = []float32{0, 1, -1}
	GELU(y, y)
	require.Equal(t, []float32{0, 0.8413447460685429, -0.15865525393145707}, y)
	y = []float32{0, 0.5}
	Tanh(y)
	require.Equal(t, []float32{0, 0.46211717}, y)
	y = []float32{0, 1}
	Sigmoid(y)
	require.Equal(t, []float32{0.5, 0.7310586}, y)
}
