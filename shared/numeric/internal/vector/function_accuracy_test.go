package vector

import (
	"flag"
	"math"
	"testing"

	"github.com/stretchr/testify/require"
)

var exhaustive = flag.Bool("exhaustive", false, "tests of functions take every float32, not a sample")

// stride returns the distance between the float32 that tests of all float32 check.
func stride() uint64 {
	if *exhaustive {
		return 1
	}
	return 8191
}

// ordered returns float32 number i in increasing order, i in [0, 2³²). NaNs are at both
// ends.
func ordered(i uint64) float32 {
	if i < 1<<31 {
		return math.Float32frombits(^uint32(i))
	}
	return math.Float32frombits(uint32(i - 1<<31))
}

// unit returns the distance of the float32 near v. v must be in their range.
func unit(v float64) float64 {
	_, e := math.Frexp(v)
	return math.Ldexp(1, max(e-24, -149))
}

// The references are float64 with an error of a few units of the last place. erfc is an
// exception: the rounding of its argument becomes 2z² ≤ 2⁸ such units. All errors are below
// 2⁻²⁰ units of float32's last place. The bounds are a little above what -exhaustive
// measured.
var unaries = []struct {
	name     string
	own      func(x float32) float32
	twin     func(x float64) float64
	units    float64 // bound of the error, in units of the last place
	monotone bool
}{
	{"exp", Exp, math.Exp, 0.50003, true},
	{"log", Log, math.Log, 0.50006, true},
	{"sigmoid", Sigmoid, logistic, 0.50002, true},
	{"tanh", Tanh, math.Tanh, 0.50008, true},
	{"gelu", GELU, func(x float64) float64 {
		if math.IsInf(x, -1) {
			return 0
		}
		return x * math.Erfc(-x/math.Sqrt2) / 2
	}, 0.50012, false},
	{"softplus", Softplus, func(x float64) float64 { return math.Max(x, 0) + math.Log1p(math.Exp(-math.Abs(x))) }, 0.50005, true},
	{"silu", SiLU, func(x float64) float64 { return math.Max(x, -1000) / (1 + math.Exp(-x)) }, 0.50005, false},
	{"mish", Mish, func(x float64) float64 {
		n := math.Exp(math.Min(x, 100))
		n *= n + 2
		return math.Max(x, -1000) * (n / (n + 2))
	}, 0.50005, false},
	{"elu", ELU, func(x float64) float64 { return math.Max(x, 0) + math.Expm1(math.Min(x, 0)) }, 0.50008, true},
	{"selu", SELU, func(x float64) float64 { return seluScale * (math.Max(x, 0) + seluAlpha*math.Expm1(math.Min(x, 0))) }, 0.50008, true},
	{"hard sigmoid", HardSigmoid, func(x float64) float64 { return math.Min(math.Max(x+3, 0), 6) / 6 }, 0.50001, true},
	{"hard swish", HardSwish, func(x float64) float64 { return math.Max(x, -9) * math.Min(math.Max(x+3, 0), 6) / 6 }, 0.50001, false},
	{"softsign", Softsign, func(x float64) float64 { return math.Copysign(1/(1/math.Abs(x)+1), x) }, 0.50001, true},
	{"gelu by tanh", GELUTanh, func(x float64) float64 { return math.Max(x, -1000) / (1 + math.Exp(-geluLogit(math.Min(x, 100)))) }, 0.50005, false},
	{"rsqrt", Rsqrt, func(x float64) float64 { return 1 / math.Sqrt(x) }, 0.50001, false},
}

func logistic(x float64) float64 { return 1 / (1 + math.Exp(-x)) }

func TestFunctionAccuracy(t *testing.T) {
	for _, f := range unaries {
		t.Run(f.name, func(t *testing.T) {
			worst, where, last := 0.0, float32(0), float32(math.Inf(-1))
			for i := uint64(0); i < 1<<32; i += stride() {
				for n := i; n < min(i+2, i+stride(), 1<<32); n++ { // a sample is two neighbours
					x := ordered(n)
					got, want := f.own(x), f.twin(float64(x))
					if e := distance(t, x, got, want); e > worst {
						worst, where = e, x
					}
					if f.monotone && got < last {
						t.Fatalf("f(%x) = %x, less than before", x, got)
					}
					last = got
				}
			}
			t.Logf("greatest error %.6f units at %x", worst, where)
			require.LessOrEqual(t, worst, f.units, "at %x", where)
		})
	}
}

// distance returns |got − want| in units of want's last place. If want has no last place,
// it returns 0 for a correct result.
func distance(t *testing.T, x, got float32, want float64) float64 {
	switch {
	case math.IsNaN(want):
		if math.Float32bits(got) != 0x7fc00000 {
			t.Fatalf("x = %x: %x, want the canonical NaN", x, math.Float32bits(got))
		}
		return 0
	case float64(got) == want || math.IsInf(float64(got), 0) && got == float32(want):
		return 0
	}
	return math.Abs(float64(got)-want) / unit(want)
}

// The derivative of GELU is within ½ unit and 2⁻³⁹. The second bound is needed because of
// its zero at −0.75.
func TestGELUSlopeAccuracy(t *testing.T) {
	worst := 0.0
	for i := uint64(0); i < 1<<32; i += stride() {
		x := ordered(i)
		v := float64(x)
		want := math.Erfc(-v/math.Sqrt2)/2 + v*math.Exp(-v*v/2)/math.Sqrt(2*math.Pi)
		if math.IsInf(v, 0) {
			want = (math.Copysign(1, v) + 1) / 2
		}
		got := GELUBackward(1, x)
		if math.IsNaN(want) {
			distance(t, x, got, want)
			continue
		}
		over := math.Abs(float64(got)-want) - 0.5001*unit(want)
		if over > worst {
			worst = over
		}
	}
	t.Logf("greatest error 0.5001 units and 2^%.2f", math.Log2(worst))
	require.LessOrEqual(t, worst, 0x1p-39)
}

func TestTanhIsOdd(t *testing.T) {
	for i := uint64(0); i < 1<<31; i += stride() {
		x := math.Float32frombits(uint32(i))
		if x == x && math.Float32bits(Tanh(x))^1<<31 != math.Float32bits(Tanh(-x)) {
			t.Fatalf("tanh %x = %x, tanh of its negative %x", x, Tanh(x), Tanh(-x))
		}
	}
}

func TestFunctionLimits(t *testing.T) {
	inf := float32(math.Inf(1))
	minus := float32(math.Copysign(0, -1))
	tiny := float32(math.SmallestNonzeroFloat32)
	for _, c := range []struct {
		name         string
		f            func(float32) float32
		x, want      float32
		signMustHold bool
	}{
		{"exp", Exp, 0, 1, false},
		{"exp", Exp, inf, inf, false},
		{"exp", Exp, -inf, 0, true},
		{"exp", Exp, 88.72284, inf, false},
		{"exp", Exp, -103.98, 0, true},
		{"exp", Exp, -103.97, tiny, false},
		{"log", Log, 0, -inf, false},
		{"log", Log, minus, -inf, false},
		{"log", Log, 1, 0, true},
		{"log", Log, inf, inf, false},
		{"log", Log, tiny, -103.27893, false},
		{"sigmoid", Sigmoid, 0, 0.5, false},
		{"sigmoid", Sigmoid, inf, 1, false},
		{"sigmoid", Sigmoid, -inf, 0, true},
		{"tanh", Tanh, 0, 0, true},
		{"tanh", Tanh, minus, minus, true},
		{"tanh", Tanh, tiny, tiny, true},
		{"tanh", Tanh, inf, 1, false},
		{"tanh", Tanh, -inf, -1, false},
		{"gelu", GELU, 0, 0, true},
		{"gelu", GELU, minus, 0, true},
		{"gelu", GELU, inf, inf, false},
		{"gelu", GELU, -inf, minus, true},
		{"gelu", GELU, math.MaxFloat32, math.MaxFloat32, false},
		{"gelu", GELU, -math.MaxFloat32, minus, true},
		{"softplus", Softplus, inf, inf, false},
		{"softplus", Softplus, -inf, 0, true},
		{"softplus", Softplus, 0, math.Ln2, false},
		{"rsqrt", Rsqrt, 0, inf, false},
		{"rsqrt", Rsqrt, minus, -inf, false},
		{"rsqrt", Rsqrt, inf, 0, true},
		{"rsqrt", Rsqrt, 4, 0.5, false},
	} {
		got := c.f(c.x)
		require.Equal(t, c.want, got, "%s %v", c.name, c.x)
		if c.signMustHold {
			require.Equal(t, math.Float32bits(c.want), math.Float32bits(got), "%s %v", c.name, c.x)
		}
	}
	for _, x := range []float32{-1, -inf, -tiny} {
		require.Equal(t, uint32(0x7fc00000), math.Float32bits(Log(x)))
		require.Equal(t, uint32(0x7fc00000), math.Float32bits(Rsqrt(x)))
	}
}

func TestCircle(t *testing.T) {
	for i := range 100000 {
		u := float64(i) / 100000
		cos, sin := Circle(u)
		require.InDelta(t, math.Cos(2*math.Pi*u), cos, 0x1p-37)
		require.InDelta(t, math.Sin(2*math.Pi*u), sin, 0x1p-37)
	}
}
