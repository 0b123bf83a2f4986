package numeric

import (
	"math"
	"math/bits"

	"tributary/shared/numeric/internal/vector"
)

// Purpose separates the random numbers of one use from those of every other use.
type Purpose uint32

// The purposes. Their numbers must never change, because a job would not be reproducible.
const (
	ForInit      Purpose = 1 // initial parameters; index = tensor
	ForSplit     Purpose = 2 // which rows go to which split
	ForBlocks    Purpose = 3 // order of blocks; index = epoch
	ForRows      Purpose = 4 // order of rows in a block; index = epoch, sub = block
	ForIngest    Purpose = 5 // order of rows across blocks, once
	ForSynthetic Purpose = 6 // generated data in tests and benchmarks
	ForDropout   Purpose = 7 // numbers that are dropped; index = step·2²⁰ + sample of the batch, sub = node
)

// Rand is a stream of random numbers: Philox4x32-10 (Salmon et al., "Parallel random
// numbers: as easy as 1, 2, 3", SC11) in counter mode. The seed is the key, and (purpose,
// sub, index) are in the counter. Its only state is its position, so any process can
// compute any part of any stream.
type Rand struct {
	key     [2]uint32
	counter [4]uint32 // position, sub, index (low), purpose ^ index (high)
	buf     [2]uint64
	left    int
}

// NewRand returns the stream of (seed, purpose, index, sub). It has 2³² blocks of two
// 64-bit numbers.
func NewRand(seed uint64, p Purpose, index uint64, sub uint32) *Rand {
	return &Rand{
		key:     [2]uint32{uint32(seed), uint32(seed >> 32)},
		counter: [4]uint32{0, sub, uint32(index), uint32(p)<<24 ^ uint32(index>>32)},
	}
}

// Uint64 returns 64 random bits.
func (r *Rand) Uint64() uint64 {
	if r.left == 0 {
		x := philox(r.counter, r.key)
		r.counter[0]++
		r.buf = [2]uint64{uint64(x[1])<<32 | uint64(x[0]), uint64(x[3])<<32 | uint64(x[2])}
		r.left = 2
	}
	r.left--
	return r.buf[1-r.left]
}

// Below returns a uniform integer in [0, n), n > 0, without bias (Lemire,
// "Fast random integer generation in an interval", 2019).
func (r *Rand) Below(n uint64) uint64 {
	hi, lo := bits.Mul64(r.Uint64(), n)
	if lo < n {
		for reject := -n % n; lo < reject; {
			hi, lo = bits.Mul64(r.Uint64(), n)
		}
	}
	return hi
}

// Float32 returns a uniform multiple of 2⁻²⁴ in [0, 1).
func (r *Rand) Float32() float32 { return float32(float32(r.Uint64()>>40) * (1.0 / (1 << 24))) }

// Symmetric returns a uniform number in [-bound, bound): (2u−1)·bound, where u is from
// Float32.
func (r *Rand) Symmetric(bound float32) float32 {
	return float32((float32(2*r.Float32()) - 1) * bound)
}

// Normal fills dst with standard normal variates (Box & Muller, "A note on the generation
// of random normal deviates", 1958). Each pair of elements is the cosine and the sine of
// 2πv times √(−2 ln u), in float64, rounded once. u and v come from the next two Uint64. u
// is the upper 53 bits of the first plus one, times 2⁻⁵³, in (0, 1]. v is the upper 53 bits
// of the second, times 2⁻⁵³. If the length is odd, the last element is the cosine.
func (r *Rand) Normal(dst []float32) {
	for ; len(dst) > 0; dst = dst[min(2, len(dst)):] {
		u := float64(float64(r.Uint64()>>11+1) * 0x1p-53)
		cos, sin := vector.Circle(float64(float64(r.Uint64()>>11) * 0x1p-53))
		radius := math.Sqrt(-2 * log(u))
		dst[0] = float32(radius * cos)
		if len(dst) > 1 {
			dst[1] = float32(radius * sin)
		}
	}
}

// Perm fills dst with a uniform permutation of 0 … len(dst)-1. It uses Shuffle.
func (r *Rand) Perm(dst []int32) {
	for i := range dst {
		dst[i] = int32(i)
	}
	r.Shuffle(dst)
}

// Shuffle puts dst in a uniformly random order (Fisher–Yates, from the end down). The
// result is dst[p[0]], dst[p[1]], …, where p is what Perm makes.
func (r *Rand) Shuffle(dst []int32) {
	for i := len(dst) - 1; i > 0; i-- {
		j := r.Below(uint64(i) + 1)
		dst[i], dst[j] = dst[j], dst[i]
	}
}

// philox is Philox4x32 with ten rounds.
func philox(c [4]uint32, k [2]uint32) [4]uint32 {
	for range 10 {
		hi0, lo0 := bits.Mul32(0xD2511F53, c[0])
		hi1, lo1 := bits.Mul32(0xCD9E8D57, c[2])
		c = [4]uint32{hi1 ^ c[1] ^ k[0], lo1, hi0 ^ c[3] ^ k[1], lo0}
		k[0] += 0x9E3779B9
		k[1] += 0xBB67AE85
	}
	return c
}
