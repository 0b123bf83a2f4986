package vector

import "math"

// root is the bits of √½, rounded down to a multiple of 2³².
const root = 0x3fe6a09e << 32

// Log returns ln x. It uses x = 2ᵉ·m with √½ ≤ m < √2, and ln m = 2 artanh(s) with s =
// (m−1)/(m+1). The subnormal numbers of float32 are normal in float64. ln 0 is −Inf; the
// logarithm of a negative number is NaN.
func Log(x float32) float32 {
	v := float64(x)
	const one = 1023 << 52 // the bits of 1
	j := math.Float64bits(v) + (one - root)
	e := math.Float64frombits(j>>52|0x433<<52) - (0x1p52 + 1023)
	m := math.Float64frombits(j&mantissa + root)
	s := (m - 1) / (m + 1)
	z := float64(s * s)
	c := &logPolynomial
	q := math.FMA(c[4], z, c[3])
	q = math.FMA(q, z, c[2])
	q = math.FMA(q, z, c[1])
	q = math.FMA(q, z, c[0])
	y := math.FMA(e, ln2, float64(q*s))
	limit := math.Inf(-1)
	if v < 0 {
		limit = math.NaN()
	}
	if v <= 0 {
		y = limit
	}
	if !(v < math.Inf(1)) { // +Inf and NaN
		y = v
	}
	return narrow(y)
}

// Softplus returns ln(1+eˣ) as max(x, 0) + ln(1+e^{−|x|}).
func Softplus(x float32) float32 {
	v := float64(x)
	return narrow(softplus64(v, positive(v)))
}

// softplus64 returns base + ln(1+u) with u = e^{−|v|}. It computes ln(1+u) as 2
// artanh(u/(2+u)), which has no cancellation. From |v| = 128 on, v is replaced by 128.
func softplus64(v, base float64) float64 {
	u := exp64(atLeast(-math.Abs(v), -128))
	s := u / (2 + u)
	z := float64(s * s)
	c := &log1pPolynomial
	q := math.FMA(c[6], z, c[5])
	q = math.FMA(q, z, c[4])
	q = math.FMA(q, z, c[3])
	q = math.FMA(q, z, c[2])
	q = math.FMA(q, z, c[1])
	q = math.FMA(q, z, c[0])
	return math.FMA(q, s, base)
}

// SoftplusBackward returns d·σ(x), where x is the input.
func SoftplusBackward(d, x float32) float32 {
	return narrow(float64(float64(d) * sigmoid64(float64(x))))
}

// Rsqrt returns 1/√x.
func Rsqrt(x float32) float32 { return narrow(1 / math.Sqrt(float64(x))) }
