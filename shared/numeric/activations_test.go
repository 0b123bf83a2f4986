package numeric

import (
	"crypto/sha256"
	"encoding/hex"
	"math"
	"testing"

	"github.com/stretchr/testify/require"
)

// more lists the activations without kernels, from inputs or outputs.
func more() map[string]struct{ forward, backward func(d, x []float32) } {
	inPlace := func(f func(y []float32)) func(y, x []float32) {
		return func(y, x []float32) { copy(y, x); f(y) }
	}
	return map[string]struct{ forward, backward func(d, x []float32) }{
		"silu":         {SiLU, SiLUBackward},
		"mish":         {Mish, MishBackward},
		"elu":          {ELU, ELUBackward},
		"selu":         {SELU, SELUBackward},
		"hard sigmoid": {HardSigmoid, HardSigmoidBackward},
		"hard swish":   {HardSwish, HardSwishBackward},
		"softsign":     {Softsign, SoftsignBackward},
		"gelu by tanh": {GELUTanh, GELUTanhBackward},
		"leaky relu":   {inPlace(LeakyReLU), LeakyReLUBackward},
		"relu 6":       {inPlace(ReLU6), ReLU6Backward},
	}
}

// What activations do at infinities, and with a NaN.
func TestLimitsOfActivations(t *testing.T) {
	inf, zero := float32(math.Inf(1)), float32(0)
	for name, want := range map[string][2]float32{ // f(−∞) and f(∞)
		"silu": {-zero, inf}, "mish": {-zero, inf}, "elu": {-1, inf}, "selu": {-1.7580993, inf}, "hard sigmoid": {0, 1},
		"hard swish": {-zero, inf}, "softsign": {-1, 1}, "gelu by tanh": {-zero, inf}, "leaky relu": {-inf, inf}, "relu 6": {0, 6},
	} {
		y := make([]float32, 3)
		f := more()[name]
		f.forward(y, []float32{-inf, inf, float32(math.NaN())})
		require.Equal(t, want[:], y[:2], name)
		require.Equal(t, uint32(0x7fc00000), math.Float32bits(y[2]), name)
		d := []float32{1, 1}
		f.backward(d, []float32{-inf, inf})
		require.False(t, math.IsNaN(float64(d[0])) || math.IsNaN(float64(d[1])), name)
	}
}

// activationDigest belongs to [Version], as digest does.
const activationDigest = "0c7bb84832d35a2a"

func TestBitsOfActivations(t *testing.T) {
	p := probe{hash: sha256.New(), rand: NewRand(4, ForSynthetic, 0, 0)}
	all := more()
	for _, name := range []string{"silu", "mish", "elu", "selu", "hard sigmoid", "hard swish", "softsign", "gelu by tanh", "leaky relu", "relu 6"} {
		for _, scale := range []float32{1, 9, 200} {
			x, y, d := p.random(53, scale), make([]float32, 53), p.random(53, 1)
			all[name].forward(y, x)
			all[name].backward(d, x)
			p.add(y...)
			p.add(d...)
		}
	}
	require.Equal(t, activationDigest, hex.EncodeToString(p.hash.Sum(nil)[:8]))
}
