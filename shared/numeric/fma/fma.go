// Package fma is the float32 fused multiply-add, x·y + z rounded once, in plain
// Go and right on every CPU: what the specification of package blas is written
// in, and what its portable implementation and its tests run on.
//
// It owns no vectors and no order of operations; those are package blas's.
//
// Invariant: the result is that of IEEE 754-2008 fusedMultiplyAdd to nearest,
// ties to even, subnormal numbers included. Any NaN result has the bits of [NaN].
package fma

import "math"

// canonical are the bits of the one NaN that specified operations return:
// quiet, positive, no payload.
const canonical = 0x7fc00000

// NaN returns the canonical NaN.
func NaN() float32 { return math.Float32frombits(canonical) }

// Canonical returns v, or the canonical NaN for any NaN.
func Canonical(v float32) float32 {
	if v != v {
		return NaN()
	}
	return v
}

// Float32 returns x·y + z, rounded once.
//
// The product of two float32 is exact in float64 (48 of 53 bits, and no
// exponent of float64 is out of reach). Its sum with z is rounded to odd, after
// which rounding to float32 is as good as rounding the exact sum, because 53 ≥
// 24 + 2 (Boldo & Melquiond, "Emulation of FMA and correctly rounded sums", 2008).
func Float32(x, y, z float32) float32 {
	return Canonical(float32(Odd(float64(float64(x)*float64(y)), float64(z))))
}

// Odd returns p + z rounded to odd: exact when float64 has the sum, else that
// of its two neighbours whose last bit is 1. No sum of magnitude under 2⁻⁹⁰⁰
// other than 0 may arise.
func Odd(p, z float64) float64 {
	s := p + z
	// TwoSum (Knuth, TAOCP 2, 4.2.2): p + z = s + e exactly.
	v := s - p
	e := float64(p-float64(s-v)) + float64(z-v)
	b := math.Float64bits(s)
	if e == 0 || b&1 != 0 || e != e { // e is NaN when s is infinite or NaN
		return s
	}
	if (e > 0) == (s > 0) {
		return math.Float64frombits(b + 1)
	}
	return math.Float64frombits(b - 1)
}
