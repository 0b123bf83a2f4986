package numeric

import (
	"math"

	"tributary/shared/numeric/fma"
)

// Functions that round gradients to what a lossy wire can carry. Each is idempotent: a
// rounded value does not change.

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

// The smallest and the largest scale of a block, except 0 and NaN. Scales are powers of
// two.
const (
	LeastBlockScale    = 0x1p-149
	GreatestBlockScale = 0x1p121
)

// BlockScale returns the scale of a block: the smallest power of two s, from 2⁻¹⁴⁹ to 2¹²¹,
// with max|x| ≤ 127·s in exact arithmetic. It returns 0 if all elements are 0 or there are
// none. It returns NaN if an element is not finite or above 127·2¹²¹. With this s, the
// division of [ToInt8] is exact except for quotients that round to 0, and [FromInt8] is
// exact.
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

// RoundInt8 rounds v in place, in blocks of [Int8Block] elements from its beginning; the
// last block may be shorter. Each element becomes s·q, where s is the [BlockScale] of the
// block and q is the integer nearest to v/s, ties to even. A block whose scale is NaN
// becomes NaN. The result has no −0.
func RoundInt8(v []float32) {
	q := make([]int8, min(len(v), Int8Block))
	for n := len(q); len(v) > 0; v = v[n:] {
		n = min(n, len(v))
		scale := BlockScale(v[:n])
		kernels.ToInt8(q[:n], v[:n], scale)
		kernels.FromInt8(v[:n], q[:n], scale)
	}
}

// KeepGreatest sets all elements of v to +0, except the k elements with the greatest |v|. k
// is at least 0. Of equal elements it keeps those with lower index. NaN counts as greater
// than all numbers.
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

// magnitude returns a key that orders numbers by |x|, with all NaNs at the top.
func magnitude(x float32) uint32 {
	return min(math.Float32bits(x)&math.MaxInt32, 0x7f800001)
}

// kthGreatest returns the magnitude of the k-th greatest element of v, and how many
// elements of that magnitude are among the k greatest. It finds the magnitude digit by
// digit, by counting. For k = 0 it returns a magnitude that no element has.
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

// Subtract writes a − b to dst. a, b and dst have the same length; dst may be a or b. A NaN
// result is the canonical NaN.
func Subtract(dst, a, b []float32) {
	a, b = a[:len(dst)], b[:len(dst)]
	for i := range dst {
		dst[i] = fma.Canonical(a[i] - b[i])
	}
}
