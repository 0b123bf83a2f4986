package numeric

import "math"

// Log computes y = ln y. Each element is computed in float64 and rounded once: within
// 0.50006 units of the last place over all float32, as measured. ln 0 is −Inf; the
// logarithm of a negative number is NaN.
func Log(y []float32) { functions.Log.Apply(y, y) }

// ln 2 as the sum of two numbers. The upper one has 33 bits, so k·ln2Hi is exact for every
// exponent k.
const (
	ln2Hi = 6.93147180369123816490e-01
	ln2Lo = 1.90821492927058770002e-10
)

// log returns the natural logarithm. It uses x = 2ᵉ·m with √½ ≤ m < √2, and ln m = 2
// artanh(s) with s = (m−1)/(m+1), |s| < 0.172. It computes artanh by its Taylor series to
// s²³; the next term is below 2⁻⁶⁰ of the sum.
func log(x float64) float64 {
	switch {
	case math.IsNaN(x) || x < 0:
		return math.NaN()
	case x == 0:
		return math.Inf(-1)
	case math.IsInf(x, 1):
		return x
	}
	e := 0
	if x < 0x1p-1022 {
		x, e = float64(x*0x1p52), -52
	}
	bits := math.Float64bits(x)
	e += int(bits>>52) - 1023
	m := math.Float64frombits(bits&(1<<52-1) | 1023<<52) // in [1, 2)
	if m >= math.Sqrt2 {
		m, e = float64(m/2), e+1
	}
	f := m - 1
	s := f / (m + 1)
	z := float64(s * s)
	p := 1.0 / 23
	p = float64(p*z) + 1.0/21
	p = float64(p*z) + 1.0/19
	p = float64(p*z) + 1.0/17
	p = float64(p*z) + 1.0/15
	p = float64(p*z) + 1.0/13
	p = float64(p*z) + 1.0/11
	p = float64(p*z) + 1.0/9
	p = float64(p*z) + 1.0/7
	p = float64(p*z) + 1.0/5
	p = float64(p*z) + 1.0/3
	// ln m = 2s + 2s³p. 2s = f − s·f is exact enough to keep the last bit.
	lnm := f - float64(s*(f-float64(2*float64(z*p))))
	k := float64(e)
	return float64(k*ln2Hi) + (lnm + float64(k*ln2Lo))
}
