package numeric

import (
	"math"
	"math/big"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

// ulps is the distance of got from want in units of want's last place.
func ulps(got, want float64) float64 {
	if got == want || (math.IsNaN(got) && math.IsNaN(want)) {
		return 0
	}
	return math.Abs(got-want) / (math.Nextafter(math.Abs(want), math.Inf(1)) - math.Abs(want))
}

// The twins are the standard library's, themselves within an ulp or two (but
// for exp above 709 and log of subnormals, where amd64's are wrong).
func TestElementaryFunctions(t *testing.T) {
	for name, f := range map[string]struct {
		own, twin func(float64) float64
		lo, hi    float64
		ulps      float64
	}{
		"exp":           {exp, math.Exp, -708, 709, 2},
		"exp tiny":      {exp, math.Exp, -1e-3, 1e-3, 2},
		"exp subnormal": {exp, math.Exp, -746, -708, 2},
		"log":           {log, math.Log, 0, 1e6, 2},
		"log near one":  {log, math.Log, 0.5, 2, 2},
		"log1p":         {log1p, math.Log1p, 0, 1, 3},
		"log1p tiny":    {log1p, math.Log1p, 0, 1e-8, 3},
		"tanh":          {tanh, math.Tanh, -25, 25, 6},
		"tanh small":    {tanh, math.Tanh, -0.6, 0.6, 6},
		"tanh tiny":     {tanh, math.Tanh, -1e-9, 1e-9, 4},
		"sigmoid":       {sigmoid, func(x float64) float64 { return 1 / (1 + math.Exp(-x)) }, -40, 40, 4},
	} {
		t.Run(name, func(t *testing.T) {
			r := NewRand(7, ForSynthetic, 0, 0)
			for range 50000 {
				x := f.lo + (f.hi-f.lo)*float64(r.Uint64()>>11)/(1<<53)
				require.LessOrEqual(t, ulps(f.own(x), f.twin(x)), f.ulps, "x = %v: %v, want %v", x, f.own(x), f.twin(x))
			}
		})
	}
}

func TestElementaryEdges(t *testing.T) {
	inf, nan := math.Inf(1), math.NaN()
	for _, c := range []struct {
		name      string
		got, want float64
	}{
		{"exp 0", exp(0), 1},
		{"exp inf", exp(inf), inf},
		{"exp -inf", exp(-inf), 0},
		{"exp nan", exp(nan), nan},
		{"exp 710", exp(710), inf},
		{"exp -746", exp(-746), 0},
		{"log 0", log(0), -inf},
		{"log 1", log(1), 0},
		{"log inf", log(inf), inf},
		{"log -1", log(-1), nan},
		{"log nan", log(nan), nan},
		{"log least", log(5e-324), -744.4400719213812},
		{"log1p 0", log1p(0), 0},
		{"log1p inf", log1p(inf), inf},
		{"tanh inf", tanh(inf), 1},
		{"tanh -inf", tanh(-inf), -1},
		{"tanh nan", tanh(nan), nan},
		{"sigmoid inf", sigmoid(inf), 1},
		{"sigmoid -inf", sigmoid(-inf), 0},
		{"sigmoid nan", sigmoid(nan), nan},
		{"sigmoid -800", sigmoid(-800), 0},
	} {
		require.Zero(t, ulps(c.got, c.want), "%s: %v, want %v", c.name, c.got, c.want)
	}
	require.True(t, math.Signbit(tanh(math.Copysign(0, -1))))
}

// Euler's number, from its series in exact rationals.
func TestExpOfOneIsE(t *testing.T) {
	e, term := big.NewRat(1, 1), big.NewRat(1, 1)
	for k := int64(1); k < 25; k++ {
		term.Mul(term, big.NewRat(1, k))
		e.Add(e, term)
	}
	want, _ := e.Float64()
	require.LessOrEqual(t, ulps(exp(1), want), 1.0)
}

func TestNormal(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		x := rapid.Float32Range(-12, 12).Draw(t, "x")
		cdf, pdf := normal(x)
		want := math.Erfc(-float64(x)/math.Sqrt2) / 2
		require.InEpsilon(t, want, cdf, 3e-14)
		require.InEpsilon(t, math.Exp(-float64(x)*float64(x)/2)/math.Sqrt(2*math.Pi), pdf, 1e-14)
	})
	cdf, pdf := normal(0)
	require.InDelta(t, 0.5, cdf, 1e-15)
	require.InDelta(t, 0.3989422804014327, pdf, 1e-16)
	cdf, _ = normal(float32(math.Inf(1)))
	require.Equal(t, 1.0, cdf)
	cdf, _ = normal(float32(math.Inf(-1)))
	require.Zero(t, cdf)
}
