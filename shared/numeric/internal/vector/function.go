package vector

import (
	"math"

	"tributary/shared/numeric/fma"
)

// The elementary functions map a float32 element to a float32. Each converts its element to
// float64. There it is one sequence of correctly rounded operations and fused multiply-adds
// without branches; it rounds once at the end. Where the code has an if, the kernels
// compute both values and select one by a comparison.
//
// A polynomial is evaluated by Horner's rule, with one [math.FMA] per power.

const (
	log2E = 0x1.71547652b82fep+00 // log₂e
	ln2   = 0x1.62e42fefa39efp-01

	// shifter moves an integer k into the last bits of a float64, where the last bit has
	// the value 1, and adds the bias of an exponent: the bits of shifter + k end in k +
	// 1023.
	shifter = 0x1.8p52 + 1023

	mantissa = 1<<52 - 1 // the bits of a float64's fraction
)

// narrow rounds v to float32, to nearest even. A NaN becomes the canonical NaN.
func narrow(v float64) float32 { return fma.Canonical(float32(v)) }

// atLeast returns lo if v < lo, else v. A NaN is returned unchanged.
func atLeast(v, lo float64) float64 {
	if v < lo {
		return lo
	}
	return v
}

// atMost returns hi if hi < v, else v. A NaN is returned unchanged.
func atMost(v, hi float64) float64 {
	if hi < v {
		return hi
	}
	return v
}

// positive returns v if 0 < v, else +0.
func positive(v float64) float64 {
	if 0 < v {
		return v
	}
	return 0
}

// exponential returns s = 2ᵏ and p = eʳ − 1, where x = k·ln 2 + r and |r| ≤ ½ ln 2. Then eˣ
// = s·p + s. |x| must be at most 200. If x is NaN, p is NaN.
//
// Adding the shifter rounds k; the last bits of the sum are then the exponent of s (Cody &
// Waite, "Software Manual for the Elementary Functions", 1980). One constant for ln 2 is
// enough: k times its error is below 2⁻⁴⁵.
func exponential(x float64) (s, p float64) {
	t := math.FMA(x, log2E, shifter)
	k := t - shifter
	r := math.FMA(-k, ln2, x)
	c := &expm1Polynomial
	q := math.FMA(c[7], r, c[6])
	q = math.FMA(q, r, c[5])
	q = math.FMA(q, r, c[4])
	q = math.FMA(q, r, c[3])
	q = math.FMA(q, r, c[2])
	q = math.FMA(q, r, c[1])
	q = math.FMA(q, r, c[0])
	return math.Float64frombits(math.Float64bits(t) << 52), float64(q * r)
}

// exp64 returns eˣ, |x| ≤ 200.
func exp64(x float64) float64 {
	s, p := exponential(x)
	return math.FMA(s, p, s)
}
