package numeric

import (
	"cmp"
	"math"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

// anyFloats draws numbers of all magnitudes, including special ones.
func anyFloats(t *rapid.T) []float32 {
	bits := rapid.OneOf(
		rapid.Uint32(), rapid.Uint32Range(0x3f000000, 0x40800000),
		rapid.SampledFrom([]uint32{0, 0x80000000, 1, 0x80000001, 0x7f800000, 0x7f7fffff, 0x7fc00000, 0x3f800000, 0xbf800000}),
	)
	size := rapid.OneOf(rapid.IntRange(0, 20), rapid.SampledFrom([]int{255, 256, 257, 600})).Draw(t, "size")
	v := make([]float32, size)
	if rapid.Bool().Draw(t, "of one magnitude") {
		scale := math.Ldexp(1, rapid.IntRange(-149, 120).Draw(t, "exponent"))
		for i := range v {
			v[i] = float32(rapid.Float64Range(-200, 200).Draw(t, "v") * scale)
		}
		return v
	}
	for i := range v {
		v[i] = math.Float32frombits(bits.Draw(t, "bits"))
	}
	return v
}

func bitsOf(v []float32) []uint32 {
	bits := make([]uint32, len(v))
	for i, x := range v {
		bits[i] = math.Float32bits(x)
	}
	return bits
}

func TestRoundingIsIdempotent(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		v := anyFloats(t)
		k := rapid.IntRange(0, len(v)).Draw(t, "k")
		for name, round := range map[string]func([]float32){
			"bfloat16": RoundBfloat16, "int8": RoundInt8, "greatest": func(v []float32) { KeepGreatest(v, k) },
		} {
			once := slices.Clone(v)
			round(once)
			twice := slices.Clone(once)
			round(twice)
			require.Equal(t, bitsOf(once), bitsOf(twice), name)
		}
	})
}

// The scale equals its definition, computed in float64, where all of it is exact.
func TestBlockScaleIsTheLeast(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		v := anyFloats(t)
		top, finite := 0.0, true
		for _, x := range v {
			top = max(top, math.Abs(float64(x)))
			finite = finite && !math.IsNaN(float64(x))
		}
		got := float64(BlockScale(v))
		switch {
		case !finite || top > 127*0x1p121:
			require.True(t, math.IsNaN(got))
		case top == 0:
			require.Zero(t, got)
		default:
			want := 0x1p-149
			for 127*want < top {
				want *= 2
			}
			require.Equal(t, want, got)
		}
	})
}

func TestRoundInt8OfHandValues(t *testing.T) {
	nan, inf := float32(math.NaN()), float32(math.Inf(1))
	for _, c := range []struct{ v, want []float32 }{
		{[]float32{127, 0.5, 1.5, 2.5, -0.5, -1.5, 100.4}, []float32{127, 0, 2, 2, 0, -2, 100}},
		{[]float32{128, 1, 3, 5}, []float32{128, 0, 4, 4}}, // steps of 2
		{[]float32{0, float32(math.Copysign(0, -1))}, []float32{0, 0}},
		{[]float32{1, inf, 2}, []float32{nan, nan, nan}},
		{[]float32{1, nan}, []float32{nan, nan}},
		{[]float32{math.MaxFloat32, 1}, []float32{nan, nan}},
		{[]float32{0x1p-149, -0x7fp-149}, []float32{0x1p-149, -0x7fp-149}},
		{[]float32{0x81p-149, 0x1p-149}, []float32{0x80p-149, 0}}, // 64.5 steps of 2
	} {
		v := slices.Clone(c.v)
		RoundInt8(v)
		require.Equal(t, bitsOf(c.want), bitsOf(v), "%v", c.v)
	}
	long := make([]float32, Int8Block+1)
	long[0], long[Int8Block-1], long[Int8Block] = 1270, 1, 1
	RoundInt8(long)
	require.Equal(t, []float32{1264, 0, 1}, []float32{long[0], long[Int8Block-1], long[Int8Block]}, "the next block has a scale of its own")
}

// Rounding changes a value by at most half a step.
func TestRoundInt8IsNear(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		v := floats(t, "v", rapid.IntRange(1, 50).Draw(t, "n"), 10)
		scale, r := BlockScale(v), slices.Clone(v)
		RoundInt8(r)
		for i := range v {
			require.LessOrEqual(t, math.Abs(float64(v[i])-float64(r[i])), float64(scale)/2)
		}
	})
}

// The selection equals that of a stable sort.
func TestKeepGreatestAgainstSorting(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		v := anyFloats(t)
		k := rapid.IntRange(0, len(v)).Draw(t, "k")
		order := make([]int, len(v))
		for i := range order {
			order[i] = i
		}
		key := func(i int) float64 {
			if x := float64(v[i]); !math.IsNaN(x) {
				return math.Abs(x)
			}
			return math.MaxFloat64
		}
		for i := range v {
			if math.IsInf(float64(v[i]), 0) {
				v[i] = math.MaxFloat32 // so that the key of NaN is above it
			}
		}
		slices.SortStableFunc(order, func(a, b int) int { return cmp.Compare(key(b), key(a)) })
		want := make([]float32, len(v))
		for _, i := range order[:k] {
			want[i] = v[i]
		}
		KeepGreatest(v, k)
		require.Equal(t, bitsOf(want), bitsOf(v))
	})
}

func TestKeepGreatestOfHandValues(t *testing.T) {
	nan, inf := float32(math.NaN()), float32(math.Inf(-1))
	for _, c := range []struct {
		k       int
		v, want []float32
	}{
		{2, []float32{1, -3, 2}, []float32{0, -3, 2}},
		{2, []float32{1, -1, 1}, []float32{1, -1, 0}},
		{1, []float32{inf, 5, nan}, []float32{0, 0, nan}},
		{0, []float32{1, nan}, []float32{0, 0}},
		{3, []float32{1, 2, 3}, []float32{1, 2, 3}},
	} {
		v := slices.Clone(c.v)
		KeepGreatest(v, c.k)
		require.Equal(t, bitsOf(c.want), bitsOf(v), "%d of %v", c.k, c.v)
	}
}

func TestSubtract(t *testing.T) {
	inf := float32(math.Inf(1))
	v := []float32{3, inf, 0x1p-149}
	Subtract(v, v, []float32{1, inf, 0})
	require.Equal(t, bitsOf([]float32{2, float32(math.NaN()), 0x1p-149}), bitsOf(v))
}
