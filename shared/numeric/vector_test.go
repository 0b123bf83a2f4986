package numeric

import (
	"math"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestAdd(t *testing.T) {
	a, b := []float32{1, 2, 3}, []float32{10, 20, 30}
	dst := make([]float32, 3)
	Add(dst, a, b)
	require.Equal(t, []float32{11, 22, 33}, dst)
	Add(a, a, b)
	require.Equal(t, dst, a)
	Add(b, []float32{1, 2, 3}, b)
	require.Equal(t, dst, b)
}

func TestBiasAndColumnSums(t *testing.T) {
	y := []float32{1, 2, 3, 4, 5, 6} // [3, 2]
	AddBias(y, []float32{10, 20})
	require.Equal(t, []float32{11, 22, 13, 24, 15, 26}, y)
	sums := []float32{99, 99}
	ColumnSums(sums, y)
	require.Equal(t, []float32{39, 72}, sums)
	ColumnSums(sums, nil)
	require.Equal(t, []float32{0, 0}, sums)
	// Row after row: (2²⁴ + 1) + 1 stays at 2²⁴, which 2²⁴ + (1 + 1) would not.
	ColumnSums(sums[:1], []float32{1 << 24, 1, 1})
	require.Equal(t, float32(1<<24), sums[0])
}

func TestAllFinite(t *testing.T) {
	require.True(t, AllFinite(nil))
	require.True(t, AllFinite([]float32{0, -math.MaxFloat32, math.SmallestNonzeroFloat32}))
	for _, bad := range []float64{math.NaN(), math.Inf(1), math.Inf(-1)} {
		require.False(t, AllFinite([]float32{1, float32(bad), 2}))
	}
}

func TestSumIsFloat64(t *testing.T) {
	require.Equal(t, float64(1<<24+2), Sum([]float32{1 << 24, 1, 1}))
}
