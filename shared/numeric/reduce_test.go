package numeric

import (
	"math"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

func TestReductionsOfHandValues(t *testing.T) {
	v := []float32{3, -4, 12}
	require.Equal(t, 11.0, Sum(v))
	require.Equal(t, 13.0, Norm(v))
	require.Equal(t, 11.0/3, Mean(v))
	require.Equal(t, 1.0, Variance([]float32{1, 3, 1, 3}))
	require.Equal(t, -1.0, Dot(v, []float32{1, 1, 0}))
	require.Equal(t, float32(12), Max(v))
	require.Equal(t, float32(4), AbsMax(v[:2]))
}

// Element 16 belongs to the lane of element 0, so 2⁵³ + 1 is rounded there. The 1 and 1 of
// two other lanes are added first.
func TestSumIsInLanes(t *testing.T) {
	v := make([]float32, 33)
	v[0], v[16], v[32] = 1<<53, 1, 1
	require.Equal(t, float64(1<<53), Sum(v))
	v[16], v[1], v[9] = 0, 1, 1
	v[32] = 0
	require.Equal(t, float64(1<<53+2), Sum(v))
}

func TestReductionsOfNothingAndOfNaN(t *testing.T) {
	nan, canonical := float32(math.NaN()), math.Float64bits(Mean(nil))
	require.Equal(t, uint64(0x7ff8000000000000), canonical)
	require.Zero(t, Sum(nil)+Dot(nil, nil)+Norm(nil)+float64(AbsMax(nil)))
	require.Equal(t, float32(math.Inf(-1)), Max(nil))
	for _, n := range []int{1, 17, 40} {
		v := make([]float32, n)
		v[n-1] = math.Float32frombits(0xffc12345)
		for _, s := range []float64{Sum(v), Dot(v, v), Norm(v), Mean(v), Variance(v)} {
			require.Equal(t, canonical, math.Float64bits(s))
		}
		require.Equal(t, math.Float32bits(nan), math.Float32bits(Max(v)))
		require.Equal(t, math.Float32bits(nan), math.Float32bits(AbsMax(v)))
		v[n-1] = float32(math.Copysign(0, -1))
		require.Equal(t, n == 1, math.Signbit(float64(Max(v)))) // +0 is greater
	}
}

// The result is within the error bound of n sums of float64 in any order.
func TestReductionsAgainstBigSums(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		v := floats(t, "v", rapid.IntRange(1, 200).Draw(t, "n"), 1000)
		sum, size, squares := 0.0, 0.0, 0.0
		for _, x := range v {
			sum += float64(x)
			size += math.Abs(float64(x))
			squares += float64(x) * float64(x)
		}
		mean, n := sum/float64(len(v)), float64(len(v))
		require.InDelta(t, sum, Sum(v), n*size*0x1p-52)
		require.InDelta(t, mean, Mean(v), size*0x1p-52)
		require.InDelta(t, math.Sqrt(squares), Norm(v), n*math.Sqrt(squares)*0x1p-52)
		require.InDelta(t, squares/n-mean*mean, Variance(v), n*squares*0x1p-50+1e-300)
		require.Equal(t, Norm(v), math.Sqrt(Dot(v, v)))
	})
}
