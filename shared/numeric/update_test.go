package numeric

import (
	"math"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

func TestDescentHandValues(t *testing.T) {
	p, m, g := []float32{1}, []float32{0}, []float32{4}
	c := Descent{Rate: 0.25, Momentum: 0.5, Clip: 1}
	c.Update(p, m, g, 2) // g = 2, m = 2, p = 1 − ½
	require.Equal(t, []float32{0.5, 2}, []float32{p[0], m[0]})
	c.Update(p, m, g, 2) // m = 1 + 2, p = ½ − ¾
	require.Equal(t, []float32{-0.25, 3}, []float32{p[0], m[0]})
	c.Nesterov, c.Decay = true, 2
	c.Update(p, m, g, 2) // g = 2 − ½ = 1.5, m = 1.5 + 1.5 = 3, p = −¼ − ¼·(1.5 + 1.5)
	require.Equal(t, []float32{-1, 3}, []float32{p[0], m[0]})
	Descent{Rate: 0.5, Clip: 1}.Update(p, nil, g, 4)
	require.Equal(t, float32(-1.5), p[0])
	Descent{Rate: 0.5, Clip: 0.5}.Update(p, nil, g, 4) // g = 1·½
	require.Equal(t, float32(-1.75), p[0])
}

func TestMomentsHandValues(t *testing.T) {
	// The first step moves by the rate, for any size of the gradient.
	for _, g := range []float32{1e-3, 1, 1e3, -7} {
		p, m, v := []float32{0}, []float32{0}, []float32{0}
		Moments{
			Beta1: 0.9, Beta2: 0.999, Rest1: 0.1, Rest2: 0.001,
			Rate: float32(0.01 / 0.1), Root2: float32(math.Sqrt(0.001)), Epsilon: 1e-12, Shrink: 1, Clip: 1,
		}.Update(p, m, v, []float32{g}, 1)
		require.InEpsilon(t, -0.01*math.Copysign(1, float64(g)), p[0], 1e-5)
	}
}

// The update is elementwise: any split of the vectors gives the same bits.
func TestUpdatesMayBeCut(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		n := rapid.IntRange(1, 40).Draw(t, "n")
		at := rapid.IntRange(0, n).Draw(t, "cut")
		grad, p, m, v := floats(t, "g", n, 3), floats(t, "p", n, 1), floats(t, "m", n, 1), make([]float32, n)
		clone := func(x []float32) []float32 { return append([]float32(nil), x...) }
		d := Descent{Rate: 0.1, Momentum: 0.9, Decay: 0.01, Nesterov: true, Clip: 0.3}
		a := Moments{Beta1: 0.9, Beta2: 0.99, Rest1: 0.1, Rest2: 0.01, Rate: 0.1, Root2: 0.1, Epsilon: 1e-8, Decay: 0.01, Shrink: 0.99, Clip: 0.3}
		p1, m1, v1 := clone(p), clone(m), clone(v)
		d.Update(p, m, grad, 7)
		a.Update(p, m, v, grad, 7)
		for _, r := range [][2]int{{at, n}, {0, at}} {
			d.Update(p1[r[0]:r[1]], m1[r[0]:r[1]], grad[r[0]:r[1]], 7)
			a.Update(p1[r[0]:r[1]], m1[r[0]:r[1]], v1[r[0]:r[1]], grad[r[0]:r[1]], 7)
		}
		require.Equal(t, [][]float32{p, m, v}, [][]float32{p1, m1, v1})
	})
}
