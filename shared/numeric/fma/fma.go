// Package fma is the float32 fused multiply-add, x·y + z rounded once, in plain Go and
// correct on every CPU. The specification of package blas is written in terms of it, and
// the portable implementation and the tests use it.
//
// It does not own vectors or the order of operations; package blas does.
//
// Invariant: the result is that of IEEE 754-2008 fusedMultiplyAdd to nearest, ties to even,
// including subnormal numbers. Any NaN result has the bits of [NaN].
package fma

import "math"

// canonical holds the bits of the only NaN that specified operations return: quiet,
// positive, no payload.
const canonical = 0x7fc00000

// NaN returns the canonical NaN.
func NaN() float32 { return math.Float32frombits(canonical) }

// Canonical returns v, or the canonical NaN if v is any NaN.
func Canonical(v float32) float32 {
	if v != v {
		return NaN()
	}
	return v
}

// Float32 returns x·y + z, rounded once.
//
// The product of two float32 is exact in float64: it has 48 of 53 bits, and its exponent is
// always in the range of float64. Its sum with z is rounded to odd. Rounding that to
// float32 gives the same as rounding the exact sum, because 53 ≥ 24 + 2 (Boldo & Melquiond,
// "Emulation of FMA and correctly rounded sums", 2008).
func Float32(x, y, z float32) float32 {
	return Canonical(float32(Odd(float64(float64(x)*float64(y)), float64(z))))
}

// Odd returns p + z rounded to odd. If float64 can represent the sum, the result is exact;
// if not, it is the neighbour whose last bit is 1. The sum must be 0 or at least 2⁻⁹⁰⁰ in
// magnitude.
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
