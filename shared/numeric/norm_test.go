package numeric_test

import (
	"math"
	"testing"

	"github.com/stretchr/testify/require"

	"tributary/shared/numeric"
)

// Two columns by hand: 1, 2, 3 has mean 2 and variance 2/3; 4, 4, 4 has variance 0.
func TestNormalizeByHand(t *testing.T) {
	x := []float32{1, 4, 2, 4, 3, 4}
	y, scale := make([]float32, 6), make([]float32, 2)
	numeric.Normalize(y, scale, x, 1.0/3, true)
	require.Equal(t, []float32{1, float32(math.Sqrt(3))}, scale) // 1/√(2/3 + 1/3), 1/√(1/3)
	require.Equal(t, []float32{-1, 0, 0, 0, 1, 0}, y)

	numeric.Normalize(y, scale, []float32{3, 1, 4, 1}, 0, false) // √(25/2), 1
	require.Equal(t, float32(1/math.Sqrt(12.5)), scale[0])
	require.Equal(t, []float32{1, 1}, []float32{y[1], y[3]})

	// dy = 1, 0, 0 of the first column of the first case: a = 1/3, b = −1/3.
	numeric.Normalize(y, scale, x, 1.0/3, true)
	dx := make([]float32, 6)
	numeric.NormalizeBackward(dx, []float32{1, 1, 0, 0, 0, 0}, y, scale, true)
	require.InDeltaSlice(t, []float64{1.0 / 3, -1.0 / 3, 0}, []float64{float64(dx[0]), float64(dx[2]), float64(dx[4])}, 1e-7)
}

// A NaN is the canonical one, in every place.
func TestNormsOfNaN(t *testing.T) {
	odd := math.Float32frombits(0xffc12345)
	canonical := uint32(0x7fc00000)
	y, scale, dx, p := make([]float32, 2), make([]float32, 1), make([]float32, 2), make([]float32, 2)
	numeric.Normalize(y, scale, []float32{odd, 1}, 1e-5, true)
	numeric.NormalizeBackward(dx, []float32{odd, 1}, []float32{0, 1}, []float32{1}, true)
	numeric.Multiply(p, []float32{odd, 2}, []float32{1, odd})
	for _, v := range [][]float32{y, scale, dx, p} {
		for _, x := range v {
			require.Equal(t, canonical, math.Float32bits(x))
		}
	}
}

// The bits of Dropout are those of the stream of random numbers.
func TestDropoutBits(t *testing.T) {
	r := numeric.NewRand(1, numeric.ForDropout, 2, 3)
	keep := make([]float32, 9) // five elements, two apart
	numeric.Dropout(keep, 2, 0.75, numeric.NewRand(1, numeric.ForDropout, 2, 3))
	for i := 0; i < 5; i += 2 {
		bits := r.Uint64()
		want := func(b uint64) float32 {
			if b < 3<<30 {
				return 0
			}
			return 4
		}
		require.Equal(t, want(bits&0xffffffff), keep[2*i])
		if i+1 < 5 {
			require.Equal(t, want(bits>>32), keep[2*i+2])
		}
	}
	require.Equal(t, []float32{0, 0, 0, 0}, []float32{keep[1], keep[3], keep[5], keep[7]}, "between the elements nothing is written")
}
