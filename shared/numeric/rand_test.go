package numeric

import (
	"math"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

// The expected values are those of Random123's kat_vectors for philox4x32-10.
func TestPhiloxKnownAnswers(t *testing.T) {
	for _, c := range []struct {
		counter [4]uint32
		key     [2]uint32
		want    [4]uint32
	}{
		{want: [4]uint32{0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8}},
		{
			[4]uint32{0xffffffff, 0xffffffff, 0xffffffff, 0xffffffff},
			[2]uint32{0xffffffff, 0xffffffff},
			[4]uint32{0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd},
		},
		{
			[4]uint32{0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344},
			[2]uint32{0xa4093822, 0x299f31d0},
			[4]uint32{0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1},
		},
	} {
		require.Equal(t, c.want, philox(c.counter, c.key))
	}
}

func TestStreamsAreApart(t *testing.T) {
	seen := map[uint64]bool{}
	for seed := range uint64(4) {
		for _, p := range []Purpose{ForInit, ForSplit, ForBlocks, ForRows, ForIngest, ForSynthetic} {
			for index := range uint64(4) {
				for sub := range uint32(4) {
					r := NewRand(seed, p, index, sub)
					for range 4 {
						x := r.Uint64()
						require.False(t, seen[x])
						seen[x] = true
					}
				}
			}
		}
	}
}

func TestRandRanges(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		r := NewRand(rapid.Uint64().Draw(t, "seed"), ForSynthetic, 0, 0)
		n := rapid.Uint64Range(1, 1<<63+5).Draw(t, "n")
		require.Less(t, r.Below(n), n)
		u := r.Float32()
		require.True(t, u >= 0 && u < 1, u)
		perm := make([]int32, rapid.IntRange(0, 50).Draw(t, "perm"))
		r.Perm(perm)
		seen := make([]bool, len(perm))
		for _, p := range perm {
			require.False(t, seen[p])
			seen[p] = true
		}
	})
}

func TestFloat32IsUniform(t *testing.T) {
	const n, bins = 100000, 10
	var count [bins]int
	r := NewRand(3, ForSynthetic, 0, 0)
	for range n {
		count[int(r.Float32()*bins)]++
	}
	for _, c := range count {
		require.InDelta(t, n/bins, c, 400) // more than four standard deviations
	}
}

// The first four moments, and the fraction beyond two standard deviations.
func TestNormalVariates(t *testing.T) {
	const n = 200001
	v := make([]float32, n)
	NewRand(11, ForSynthetic, 0, 0).Normal(v)
	var moments [5]float64
	beyond := 0
	for _, x := range v {
		power := 1.0
		for k := range moments {
			moments[k] += power / n
			power *= float64(x)
		}
		if math.Abs(float64(x)) > 2 {
			beyond++
		}
	}
	for k, want := range []float64{1, 0, 1, 0, 3} {
		require.InDelta(t, want, moments[k], 0.05, "moment %d", k)
	}
	require.InDelta(t, math.Erfc(math.Sqrt2), float64(beyond)/n, 0.002)
	// A shorter vector is the start of a longer one, except a last element without a
	// partner.
	w := make([]float32, 7)
	NewRand(11, ForSynthetic, 0, 0).Normal(w)
	require.Equal(t, v[:7], w)
}
