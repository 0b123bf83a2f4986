package numeric

import (
	"math"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

// The order of additions follows the specification literally: element i goes to lane i mod
// 16, then the lanes are added in halves.
func TestNormIsInLanes(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		v := floats(t, "v", rapid.IntRange(0, 70).Draw(t, "n"), 1e20)
		var lane [16]float64
		for j := range lane {
			for i := j; i < len(v); i += 16 {
				square := float64(v[i]) * float64(v[i])
				lane[j] += square
			}
		}
		for half := 8; half >= 1; half /= 2 {
			for j := range half {
				lane[j] += lane[j+half]
			}
		}
		require.Equal(t, math.Sqrt(lane[0]), Norm(v))
	})
}

func TestNorm(t *testing.T) {
	const largest, least = math.MaxFloat32, math.SmallestNonzeroFloat32
	inf, nan := float32(math.Inf(1)), float32(math.NaN())
	require.Equal(t, 5.0, Norm([]float32{3, -4}))
	require.Zero(t, math.Float64bits(Norm(nil)))
	require.Equal(t, 2*largest, Norm([]float32{largest, largest, -largest, largest}), "squares do not overflow")
	require.Equal(t, 2*least, Norm([]float32{least, least, least, -least}), "nor vanish")
	require.Equal(t, math.Inf(1), Norm([]float32{1, -inf}))
	require.True(t, math.IsNaN(Norm([]float32{inf, nan})))
}

func TestClip(t *testing.T) {
	inf, nan := float32(math.Inf(1)), float32(math.NaN())
	v := []float32{3, -4}
	require.Equal(t, float32(1), Clip(v, 1, 6))
	require.Equal(t, float32(1), Clip(nil, 1, 1e-3))
	require.Equal(t, float32(2/(5+1e-6)), Clip(v, 1, 2))
	require.Equal(t, float32(2/(2.5+1e-6)), Clip(v, 2, 2), "the limit is of the mean gradient")
	require.Equal(t, float32(1), Clip(v, 3, 2))
	require.Zero(t, Clip([]float32{inf, 1}, 1, 2))
	require.Equal(t, uint32(0x7fc00000), math.Float32bits(Clip([]float32{-nan, 1}, 1, 2)))
}

func TestClipValue(t *testing.T) {
	inf, nan := float32(math.Inf(1)), float32(math.NaN())
	dst := make([]float32, 7)
	ClipValue(dst, []float32{3, -4, 1, -1, inf, -inf, 0}, 2, 1)
	require.Equal(t, []float32{1, -1, 0.5, -0.5, 1, -1, 0}, dst)
	ClipValue(dst[:1], []float32{-nan}, 1, 1)
	require.Equal(t, uint32(0x7fc00000), math.Float32bits(dst[0]))
	ClipValue(dst, dst, 1, 0.75) // in place
	require.Equal(t, []float32{-0.75, 0.5, -0.5, 0.75, -0.75, 0}, dst[1:])
}
