package numeric_test

import (
	"math"
	"testing"

	"github.com/stretchr/testify/require"

	"tributary/shared/numeric"
)

// A unit with 1, 2, 3, 6: the mean is 3, the squares about it add up to 14.
func TestNormalizeBatchByHand(t *testing.T) {
	x := []float32{1, 0, 2, 0, 3, 0, 6, 0}
	y, scale, mean, variance := make([]float32, 8), make([]float32, 2), make([]float32, 2), make([]float32, 2)
	numeric.NormalizeBatch(y, scale, mean, variance, x, 0.5)
	require.Equal(t, []float32{12, 0}, mean)
	require.Equal(t, []float32{14 * 4.0 / 3, 0}, variance, "4/3: the variance is unbiased")
	require.Equal(t, []float32{0.5, float32(math.Sqrt2)}, scale)
	require.Equal(t, []float32{-1, 0, -0.5, 0, 0, 0, 1.5, 0}, y)

	numeric.NormalizeBatch(y[:1], scale[:1], mean[:1], variance[:1], []float32{7}, 1e-5)
	require.Equal(t, []float32{7, 0, 0}, []float32{mean[0], variance[0], y[0]}, "one position has no variance")
}

func TestRunningByHand(t *testing.T) {
	r := []float32{2, 0}
	numeric.Running(r, []float32{20, 8}, 4, 0.25)
	require.Equal(t, []float32{2.75, 0.5}, r) // ¾·2 + ¼·5, ¼·2

	scale, y := make([]float32, 2), make([]float32, 2)
	numeric.RunningScale(scale, []float32{3.75, 0}, 0.25)
	require.Equal(t, []float32{0.5, 2}, scale)
	numeric.Standardize(y, []float32{5, 1}, []float32{1, 2}, scale)
	require.Equal(t, []float32{2, -2}, y)
}

// A NaN is the canonical one, in every place.
func TestRunningOfNaN(t *testing.T) {
	odd := math.Float32frombits(0xffc12345)
	y, scale, mean, variance, r := make([]float32, 2), make([]float32, 1), make([]float32, 1), make([]float32, 1), []float32{odd}
	numeric.NormalizeBatch(y, scale, mean, variance, []float32{odd, 1}, 1e-5)
	numeric.Running(r, []float32{1}, 1, 0.5)
	s, z := make([]float32, 1), make([]float32, 1)
	numeric.RunningScale(s, []float32{odd}, 1)
	numeric.Standardize(z, []float32{odd}, []float32{0}, []float32{1})
	for _, v := range [][]float32{y, scale, mean, variance, r, s, z} {
		for _, x := range v {
			require.Equal(t, uint32(0x7fc00000), math.Float32bits(x))
		}
	}
}
