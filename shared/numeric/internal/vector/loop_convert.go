package vector

import (
	"math"

	"tributary/shared/numeric/fma"
)

// ToFloat16 writes x to dst as IEEE 754 binary16, rounded to nearest even. dst has the
// length of x.
func (k *Kernels) ToFloat16(dst []uint16, x []float32) {
	dst = dst[:len(x)]
	n := whole(k.toFloat16 != nil, len(x))
	if n > 0 {
		k.toFloat16(n, &dst[0], &x[0])
	}
	for i := n; i < len(x); i++ {
		dst[i] = float16(x[i])
	}
}

// FromFloat16 writes x, which is binary16, to dst. dst has the length of x.
func (k *Kernels) FromFloat16(dst []float32, x []uint16) {
	dst = dst[:len(x)]
	n := whole(k.fromFloat16 != nil, len(x))
	if n > 0 {
		k.fromFloat16(n, &dst[0], &x[0])
	}
	for i := n; i < len(x); i++ {
		dst[i] = fromFloat16(x[i])
	}
}

// float16 returns the bits of x as binary16.
func float16(x float32) uint16 {
	const (
		infinite = 0x7f800000
		over     = 0x477ff000 // 65520, the middle between the greatest number and the next one that the format would have
		least    = 0x38800000 // 2⁻¹⁴, the smallest normal number
		middle   = 0x3f000000 // ½, where the last bit of a float32 has the value 2⁻²⁴
	)
	b := math.Float32bits(x)
	sign, b := uint16(b>>16&0x8000), b&math.MaxInt32
	switch {
	case b > infinite:
		return 0x7e00
	case b >= over:
		return sign | 0x7c00
	case b < least:
		return sign | uint16(math.Float32bits(math.Float32frombits(b)+0.5)-middle)
	}
	return sign | uint16((b-112<<23+0xfff+b>>13&1)>>13)
}

// fromFloat16 returns the number with the bits h.
func fromFloat16(h uint16) float32 {
	sign, exponent, fraction := uint32(h&0x8000)<<16, uint32(h>>10&0x1f), uint32(h&0x3ff)
	switch {
	case exponent == 0x1f && fraction != 0:
		return fma.NaN()
	case exponent == 0x1f:
		return math.Float32frombits(sign | 0x7f800000)
	case exponent == 0:
		return math.Float32frombits(sign | math.Float32bits(float32(float32(fraction)*0x1p-24)))
	}
	return math.Float32frombits(sign | (exponent+112)<<23 | fraction<<13)
}

// ToBfloat16 writes x to dst as the upper halves of float32, rounded to nearest even. dst
// has the length of x.
func (k *Kernels) ToBfloat16(dst []uint16, x []float32) {
	dst = dst[:len(x)]
	n := whole(k.toBfloat16 != nil, len(x))
	if n > 0 {
		k.toBfloat16(n, &dst[0], &x[0])
	}
	for i := n; i < len(x); i++ {
		b := math.Float32bits(fma.Canonical(x[i]))
		dst[i] = uint16((b + 0x7fff + b>>16&1) >> 16)
	}
}

// FromBfloat16 writes x, which is upper halves of float32, to dst. dst has the length of x.
func (k *Kernels) FromBfloat16(dst []float32, x []uint16) {
	dst = dst[:len(x)]
	n := whole(k.fromBfloat16 != nil, len(x))
	if n > 0 {
		k.fromBfloat16(n, &dst[0], &x[0])
	}
	for i := n; i < len(x); i++ {
		dst[i] = fma.Canonical(math.Float32frombits(uint32(x[i]) << 16))
	}
}

// ToInt8 writes x/scale to dst. It clamps the quotient to −127 … 127 and rounds it to an
// integer, to nearest even. dst has the length of x. A quotient that is NaN gives 0.
func (k *Kernels) ToInt8(dst []int8, x []float32, scale float32) {
	dst = dst[:len(x)]
	n := whole(k.toInt8 != nil, len(x))
	if n > 0 {
		k.toInt8(n, &dst[0], &x[0], scale)
	}
	for i := n; i < len(x); i++ {
		q := min(max(x[i]/scale, -127), 127)
		if q != q {
			q = 0
		}
		dst[i] = int8(math.RoundToEven(float64(q)))
	}
}

// FromInt8 writes scale·x to dst. dst has the length of x.
func (k *Kernels) FromInt8(dst []float32, x []int8, scale float32) {
	dst = dst[:len(x)]
	n := whole(k.fromInt8 != nil, len(x))
	if n > 0 {
		k.fromInt8(n, &dst[0], &x[0], scale)
	}
	for i := n; i < len(x); i++ {
		dst[i] = fma.Canonical(float32(scale * float32(x[i])))
	}
}
