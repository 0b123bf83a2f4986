package numeric

import "math"

// ln 2 in two parts; the upper has 33 bits, so that k·ln2Hi is exact for every exponent k.
const (
	ln2Hi = 6.93147180369123816490e-01
	ln2Lo = 1.90821492927058770002e-10
)

// exp returns eˣ within one unit in the last place: x = k·ln 2 + r with
// |r| ≤ ½ ln 2 (Cody & Waite, "Software Manual for the Elementary Functions",
// 1980), then 2ᵏ·(1 + expm1(r)).
func exp(x float64) float64 {
	switch {
	case math.IsNaN(x):
		return x
	case x > 709.782712893384: // ln of the greatest float64
		return math.Inf(1)
	case x < -745.1332191019412: // ln of half the least
		return 0
	}
	k := math.RoundToEven(float64(x * math.Log2E))
	r := float64(x-float64(k*ln2Hi)) - float64(k*ln2Lo)
	return scale(1+expm1(r), int(k))
}

// expm1 returns eʳ − 1 for |r| ≤ ½ ln 2: the Taylor series to r¹³, whose next
// term is below 2⁻⁵⁷ of the sum. Even and odd powers are two Horner chains.
func expm1(r float64) float64 {
	s := float64(r * r)
	odd := 1.0 / 6227020800 // 1/13!
	odd = float64(odd*s) + 1.0/39916800
	odd = float64(odd*s) + 1.0/362880
	odd = float64(odd*s) + 1.0/5040
	odd = float64(odd*s) + 1.0/120
	odd = float64(odd*s) + 1.0/6
	even := 1.0 / 479001600 // 1/12!
	even = float64(even*s) + 1.0/3628800
	even = float64(even*s) + 1.0/40320
	even = float64(even*s) + 1.0/720
	even = float64(even*s) + 1.0/24
	even = float64(even*s) + 1.0/2
	return r + float64(s*(even+float64(odd*r)))
}

// scale returns y·2ᵏ for y in [½, 2] and −1075 ≤ k ≤ 1024, rounded once.
func scale(y float64, k int) float64 {
	h := k / 2
	return float64(float64(y*pow2(h)) * pow2(k-h))
}

// pow2 returns 2ᵏ, a normal number.
func pow2(k int) float64 { return math.Float64frombits(uint64(k+1023) << 52) }

// tanh returns tanh x = (e²ˣ−1)/(e²ˣ+1), small x without cancellation.
func tanh(x float64) float64 {
	a := math.Abs(x)
	var t float64
	switch {
	case a > 22: // 1 − 2e⁻⁴⁴ rounds to 1
		t = 1
	case float64(2*a) <= math.Ln2/2:
		m := expm1(2 * a)
		t = m / (m + 2)
	default: // NaN comes here
		t = 1 - 2/(exp(2*a)+1)
	}
	return math.Copysign(t, x)
}

// sigmoid returns 1/(1+e⁻ˣ).
func sigmoid(x float64) float64 {
	if x >= 0 {
		return 1 / (1 + exp(-x))
	}
	e := exp(x)
	return e / (1 + e)
}
