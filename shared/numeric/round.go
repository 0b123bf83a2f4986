package numeric

import (
	"math"

	"tributary/shared/numeric/fma"
)

// Rounding of gradients to what a lossy wire can carry. Each is idempotent: what
// was rounded before is not changed.

// RoundBfloat16 rounds v, in place, to the upper 16 bits of float32.
func RoundBfloat16(v []float32) {
	half := make([]uint16, min(len(v), 4096))
	for n := len(half); len(v) > 0; v = v[n:] {
		n = min(n, len(v))
		kernels.ToBfloat16(half[:n], v[:n])
		kernels.FromBfloat16(v[:n], half[:n])
	}
}

// Int8Block is the number of elements that share a scale.
const Int8Block = 256

// The scales that a block can have, but for 0 and NaN: powers of two.
const (
	LeastBlockScale    = 0x1p-149
	GreatestBlockScale = 0x1p121
)

// BlockScale returns the scale of a block: the least power of two s, from 2⁻¹⁴⁹ to
// 2¹²¹, with max|x| ≤ 127·s, in exact arithmetic; 0 when all are 0 or there are
// none; NaN when one is not finite or is above 127·2¹²¹. For that s [ToInt8] divides
// without an error but for quotients that round to 0, and [FromInt8] is exact.
func BlockScale(x []float32) float32 {
	top := kernels.AbsMax(x)
	if top == 0 {
		return 0
	}
	if !(top <= 127*GreatestBlockScale) {
		return fma.NaN()
	}
	const one, rest = 1 << 52, 63 << 46 // 127 = (1 + rest/one)·2⁶
	bits := math.Float64bits(float64(top))
	exponent := int(bits>>52) - 1023 - 6
	if bits&(one-1) > rest {
		exponent++
	}
	return float32(math.Float64frombits(uint64(max(exponent, -149)+1023) << 52))
}

// RoundInt8 rounds v, in place, block by block of [Int8Block] elements from its
// beginning, the last maybe shorter: to s·q, q the integer nearest to v/s, ties to
// even, s the block's [BlockScale]. A block of scale NaN becomes NaN. There is no −0.
func RoundInt8(v []float32) {
	q := make([]int8, min(len(v), Int8Block))
	for n := len(q); len(v) > 0; v = v[n:] {
		n = min(n, len(v))
		scale := BlockScale(v[:n])
		kernels.ToInt8(q[:n], v[:n], scale)
		kernels.FromInt8(v[:n], q[:n], scale)
	}
}

// KeepGreatest makes +0 of all but the k elements of v with the greatest |v|, k at
// least 0. Of equal ones those of lower index are kept; NaN counts as greater than
// all numbers.
func KeepGreatest(v []float32, k int) {
	if k >= len(v) {
		return
	}
	least, ties := kthGreatest(v, k)
	for i, x := range v {
		switch key := magnitude(x); {
		case key > least:
		case key == least && ties > 0:
			ties--
		default:
			v[i] = 0
		}
	}
}

// magnitude orders numbers by |x|, all NaNs at the top.
func magnitude(x float32) uint32 {
	return min(math.Float32bits(x)&math.MaxInt32, 0x7f800001)
}

// kthGreatest returns the magnitude of the k-th greatest element of v and how many of
// that magnitude are among the k greatest: digit by digit, by counting. For k = 0 it
// returns a magnitude that none has.
func kthGreatest(v []float32, k int) (key uint32, ties int) {
	if k == 0 {
		return math.MaxUint32, 0
	}
	const digits = 11 // bits in a digit: three make 33
	var counts [1 << digits]int
	for shift := 2 * digits; shift >= 0; shift -= digits {
		clear(counts[:])
		for _, x := range v {
			if m := uint64(magnitude(x)); m>>(shift+digits) == uint64(key) {
				counts[m>>shift&(1<<digits-1)]++
			}
		}
		d := len(counts) - 1
		for ; counts[d] < k; d-- {
			k -= counts[d]
		}
		key = key<<digits | uint32(d)
	}
	return key, k
}

// Subtract writes a − b to dst; all have dst's length. dst may be a or b. A NaN among
// the differences is the canonical one.
func Subtract(dst, a, b []float32) {
	a, b = a[:len(dst)], b[:len(dst)]
	for i := range dst {
		dst[i] = fma.Canonical(a[i] - b[i])
	}
}
