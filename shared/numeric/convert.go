package numeric

import "tributary/shared/numeric/fma"

// Conversions round to nearest, ties to even. A NaN becomes the canonical one of
// the format: 0x7e00 of float16, 0x7fc0 of bfloat16, 0x7fc00000 of float32.

// ToFloat16 writes x to dst, as long as x, as the bits of IEEE 754 binary16: subnormal
// numbers are kept, from 65520 on it is an infinity.
func ToFloat16(dst []uint16, x []float32) { kernels.ToFloat16(dst, x) }

// FromFloat16 writes the numbers whose binary16 bits are x to dst, as long as x. It
// is exact.
func FromFloat16(dst []float32, x []uint16) { kernels.FromFloat16(dst, x) }

// ToBfloat16 writes x to dst, as long as x, as the upper 16 bits of float32.
func ToBfloat16(dst []uint16, x []float32) { kernels.ToBfloat16(dst, x) }

// FromBfloat16 writes the numbers whose upper 16 bits are x to dst, as long as x. It
// is exact.
func FromBfloat16(dst []float32, x []uint16) { kernels.FromBfloat16(dst, x) }

// Int8Scale returns the scale at which int8 spans x: max|x|/127.
func Int8Scale(x []float32) float32 { return fma.Canonical(kernels.AbsMax(x) / 127) }

// ToInt8 writes x/scale, divided in float32, to dst, as long as x: brought between
// −127 and 127, then rounded to an integer. A quotient that is NaN gives 0.
func ToInt8(dst []int8, x []float32, scale float32) { kernels.ToInt8(dst, x, scale) }

// FromInt8 writes scale·x, one product of float32, to dst, as long as x.
func FromInt8(dst []float32, x []int8, scale float32) { kernels.FromInt8(dst, x, scale) }
