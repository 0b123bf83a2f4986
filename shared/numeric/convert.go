package numeric

import "tributary/shared/numeric/fma"

// Conversions round to nearest, ties to even. A NaN becomes the canonical NaN of the
// format: 0x7e00 in float16, 0x7fc0 in bfloat16, 0x7fc00000 in float32.

// ToFloat16 writes x to dst as the bits of IEEE 754 binary16. dst has the length of x.
// Subnormal numbers stay subnormal. From 65520 on, the result is an infinity.
func ToFloat16(dst []uint16, x []float32) { kernels.ToFloat16(dst, x) }

// FromFloat16 writes to dst the numbers whose binary16 bits are x. dst has the length of x.
// The conversion is exact.
func FromFloat16(dst []float32, x []uint16) { kernels.FromFloat16(dst, x) }

// ToBfloat16 writes x to dst as the upper 16 bits of float32. dst has the length of x.
func ToBfloat16(dst []uint16, x []float32) { kernels.ToBfloat16(dst, x) }

// FromBfloat16 writes to dst the numbers whose upper 16 bits are x. dst has the length of
// x. The conversion is exact.
func FromBfloat16(dst []float32, x []uint16) { kernels.FromBfloat16(dst, x) }

// Int8Scale returns the scale with which int8 covers the range of x: max|x|/127.
func Int8Scale(x []float32) float32 { return fma.Canonical(kernels.AbsMax(x) / 127) }

// ToInt8 writes x/scale to dst. It divides in float32, clamps to −127 … 127, then rounds to
// an integer. dst has the length of x. A quotient that is NaN gives 0.
func ToInt8(dst []int8, x []float32, scale float32) { kernels.ToInt8(dst, x, scale) }

// FromInt8 writes scale·x, one float32 product, to dst. dst has the length of x.
func FromInt8(dst []float32, x []int8, scale float32) { kernels.FromInt8(dst, x, scale) }
