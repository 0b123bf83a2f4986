package fma_test

import (
	"math"
	"math/big"
	"testing"

	"github.com/stretchr/testify/require"

	"tributary/shared/numeric/fma"
)

// exact returns x·y + z of finite numbers, computed with big.Float and rounded once.
func exact(x, y, z float32) float32 {
	f := func(v float32) *big.Float { return new(big.Float).SetPrec(1000).SetFloat64(float64(v)) }
	p := new(big.Float).SetPrec(1000).Mul(f(x), f(y))
	s := new(big.Float).SetPrec(1000).Add(p, f(z))
	if s.Sign() == 0 { // big.Float has IEEE's signs of zeros, to nearest
		if s.Signbit() {
			return float32(math.Copysign(0, -1))
		}
		return 0
	}
	r, _ := s.Float32()
	return r
}

func check(t *testing.T, x, y, z float32) {
	t.Helper()
	got, want := fma.Float32(x, y, z), exact(x, y, z)
	if math.Float32bits(got) != math.Float32bits(want) {
		t.Fatalf("%x·%x + %x: %x, want %x", x, y, z, got, want)
	}
}

// xorshift is a source of bits that is independent of the code under test.
type xorshift uint64

func (s *xorshift) next() uint32 {
	*s ^= *s << 13
	*s ^= *s >> 7
	*s ^= *s << 17
	return uint32(*s >> 32)
}

// finite draws from all float32 except NaN and infinities.
func (s *xorshift) finite() float32 {
	for {
		if v := math.Float32frombits(s.next()); v-v == 0 {
			return v
		}
	}
}

func TestRandom(t *testing.T) {
	s := xorshift(88172645463325252)
	for range 100000 {
		check(t, s.finite(), s.finite(), s.finite())
		// The exponents are near each other, so that the sum has an effect.
		near := func(e int) float32 {
			return float32(math.Ldexp(1+float64(s.next()>>9)/(1<<23), e+int(s.next()%30)-15))
		}
		sign := float32(1 - 2*int(s.next()&1))
		e := int(s.next()%60) - 30
		check(t, sign*near(e), near(-e), near(0))
		check(t, sign*near(-70+e), near(-70-e), near(-140)) // subnormal results
	}
}

// Sums on or very near the middle between two float32, where rounding twice gives wrong
// results.
func TestTies(t *testing.T) {
	s := xorshift(99)
	for range 100000 {
		// x·y is a few bits far below z's half ulp: z + ½ulp ± tiny.
		e := -int(s.next() % 126)
		z := float32(math.Ldexp(1+float64(s.next()>>9)/(1<<23), e))
		x := float32(math.Ldexp(1, -12+int(s.next()%3)-1))
		y := float32(math.Ldexp(1+float64(s.next()%4)/(1<<23), e-12+int(s.next()%3)-1))
		for _, sx := range []float32{x, -x} {
			check(t, sx, y, z)
			check(t, sx, y, -z)
			check(t, math.Nextafter32(sx, 0), math.Nextafter32(y, 9), z)
		}
		// Among subnormal numbers: k·2⁻¹⁴⁹ + (½ ± tiny)·2⁻¹⁴⁹.
		sub := math.Float32frombits(s.next() % (1 << 23))
		h := float32(math.Ldexp(1, -75+int(s.next()%3)-1))
		g := float32(math.Ldexp(1+float64(int(s.next()%5)-2)/(1<<23), -75))
		check(t, h, g, sub)
		check(t, -h, g, sub)
	}
}

// The classic case: 1 + 2⁻²⁴ + 2⁻⁶⁰ is above the middle. Float64 rounds it to the middle,
// and the middle rounds to even.
func TestDoubleRoundingCase(t *testing.T) {
	x, y := float32(1<<12+1), float32(math.Ldexp(1<<12-1, -48)) // x·y = (2²⁴−1)·2⁻⁴⁸
	check(t, x, y, 1)
	require.Equal(t, float32(1+math.Ldexp(1, -23)), fma.Float32(float32(1+math.Ldexp(1, -23)), float32(math.Ldexp(1+math.Ldexp(1, -23), -24)), 1))
	require.Equal(t, float32(1), fma.Float32(1, float32(math.Ldexp(1, -24)), 1))
}

func TestEdges(t *testing.T) {
	inf, nan := float32(math.Inf(1)), fma.NaN()
	minus := float32(math.Copysign(0, -1))
	big, tiny := float32(math.MaxFloat32), float32(math.SmallestNonzeroFloat32)
	for _, c := range [][4]float32{
		{inf, 1, 1, inf},
		{inf, -1, 1, -inf},
		{inf, 0, 1, nan},
		{0, inf, nan, nan},
		{inf, 1, -inf, nan},
		{inf, 1, inf, inf},
		{nan, 0, 0, nan},
		{1, 1, -inf, -inf},
		{big, 2, -inf, -inf},
		{big, 2, 0, inf},
		{big, 2, -big, big},
		{big, big, -big, inf},
		{tiny, tiny, 0, 0},
		{-tiny, tiny, 0, minus},
		{tiny, 0.5, tiny, 2 * tiny},
		{tiny, 0.5, 0, 0},
		{0, 0, minus, 0},
		{minus, 1, minus, minus},
		{minus, 1, 0, 0},
		{1, 1, -1, 0},
	} {
		got := fma.Float32(c[0], c[1], c[2])
		require.Equal(t, math.Float32bits(c[3]), math.Float32bits(got), "%v·%v + %v: %v, want %v", c[0], c[1], c[2], got, c[3])
	}
	odd := math.Float32frombits(0xffc12345)
	require.Equal(t, math.Float32bits(nan), math.Float32bits(fma.Float32(odd, 1, 1)))
}
