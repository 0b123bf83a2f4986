package numeric

import (
	"math"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

func TestRMSpropHandValues(t *testing.T) {
	p, q, m, a, g := []float32{1}, []float32{0}, []float32{0}, []float32{0}, []float32{8}
	c := RMSprop{Alpha: 0.75, Rest: 0.25, Rate: 0.5, Clip: 1}
	c.Update(p, q, nil, nil, g, 2) // g = 4, q = ¼·16 = 4, u = 4/2, p = 1 − ½·2
	require.Equal(t, []float32{0, 4}, []float32{p[0], q[0]})
	c.Epsilon, c.Clip, c.Momentum = 1, 0.5, 0.25
	m[0] = 4
	c.Update(p, q, m, nil, g, 2) // g = 2, q = 3 + 1 = 4, u = 2/(2+1), m = 1 + 2/3, p = 0 − ½·m
	require.Equal(t, float32(4), q[0])
	require.InDelta(t, 5.0/3, m[0], 1e-6)
	require.InDelta(t, -5.0/6, p[0], 1e-6)
	p[0], q[0], c.Clip, c.Decay = 2, 0, 1, 2
	c.Update(p, q, nil, a, g, -1) // g = −8 + 4 = −4, q = 4, a = −1, v = 4 − 1, u = −4/(√3 + 1), p = 2 − ½·u
	require.Equal(t, []float32{4, -1}, []float32{q[0], a[0]})
	require.InDelta(t, 2+2/(math.Sqrt(3)+1), p[0], 1e-6)
	p[0], q[0], a[0], c.Decay, c.Alpha, c.Rest = 0, 1, 2, 0, 1, 0
	c.Update(p, q, nil, a, g, 1) // v = 1 − 4 is taken as 0, u = 8/(0 + 1)
	require.Equal(t, float32(-4), p[0])
}

func TestAdagradHandValues(t *testing.T) {
	p, s, g := []float32{1}, []float32{0}, []float32{6}
	c := Adagrad{Rate: 0.5, Initial: 16, Clip: 1}
	c.Update(p, s, g, 2) // g = 3, s = 9, p = 1 − ½·3/√(9 + 16)
	require.Equal(t, float32(9), s[0])
	require.InDelta(t, 0.7, p[0], 1e-6)
	p[0], c.Decay, c.Clip, c.Initial, c.Epsilon = 2, 3, 0.5, 0, 1
	c.Update(p, s, g, -3) // g = −1 + 6 = 5, s = 34, p = 2 − ½·5/(√34 + 1)
	require.Equal(t, float32(34), s[0])
	require.InDelta(t, 2-2.5/(math.Sqrt(34)+1), p[0], 1e-6)
}

func TestLionHandValues(t *testing.T) {
	p, m, g := []float32{1, 1, 1, 1}, []float32{0, 4, 4, 0}, []float32{-8, -8, -24, 0}
	c := Lion{Beta1: 0.5, Rest1: 0.5, Beta2: 0.75, Rest2: 0.25, Rate: 0.25, Shrink: 0.5, Clip: 1}
	c.Update(p, m, g, 2) // g = −4, −4, −12, 0; the sums are −2, 0, −4, 0
	require.Equal(t, []float32{0.75, 0.5, 0.75, 0.5}, p)
	require.Equal(t, []float32{-1, 2, 0, 0}, m)
	c.Clip = 0.25
	c.Update(p[:1], m[:1], g[:1], -2) // g = 1, the sum is 0
	require.Equal(t, []float32{0.375, -0.5}, []float32{p[0], m[0]})
	for _, bad := range []float64{math.NaN(), math.Inf(1), math.Inf(-1)} {
		c.Update(p, m, []float32{float32(bad), 0, 0, 0}, 2)
		require.False(t, AllFinite(p[:1]))
		p[0], m[0] = 1, 0
	}
}

func TestAdaptiveUpdatesMayBeCut(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		n := rapid.IntRange(1, 40).Draw(t, "n")
		at := rapid.IntRange(0, n).Draw(t, "cut")
		r := RMSprop{Alpha: 0.9, Rest: 0.1, Rate: 0.1, Epsilon: 1e-8, Momentum: 0.9, Decay: 0.01, Clip: 0.3}
		a := Adagrad{Rate: 0.1, Initial: 0.1, Epsilon: 1e-10, Decay: 0.01, Clip: 0.3}
		l := Lion{Beta1: 0.9, Beta2: 0.99, Rest1: 0.1, Rest2: 0.01, Rate: 0.1, Shrink: 0.99, Clip: 0.3}
		grad, whole := floats(t, "g", n, 3), [][]float32{floats(t, "p", n, 1), make([]float32, n), floats(t, "m", n, 1), floats(t, "a", n, 1), make([]float32, n)}
		var cut [][]float32
		for _, v := range whole {
			cut = append(cut, append([]float32(nil), v...))
		}
		update := func(v [][]float32, lo, hi int) {
			g := make([]float32, hi-lo)
			ClipValue(g, grad[lo:hi], 7, 0.2)
			r.Update(v[0][lo:hi], v[1][lo:hi], v[2][lo:hi], v[3][lo:hi], g, 7)
			a.Update(v[0][lo:hi], v[4][lo:hi], g, 7)
			l.Update(v[0][lo:hi], v[2][lo:hi], g, 7)
		}
		update(whole, 0, n)
		update(cut, at, n)
		update(cut, 0, at)
		require.Equal(t, whole, cut)
	})
}
