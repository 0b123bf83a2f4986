package numeric

import (
	"math"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

func TestConversionsOfHandValues(t *testing.T) {
	h, y := make([]uint16, 6), make([]float32, 6)
	ToFloat16(h, []float32{1, -2, 65504, 65520, 0x1p-24, float32(math.NaN())})
	require.Equal(t, []uint16{0x3c00, 0xc000, 0x7bff, 0x7c00, 1, 0x7e00}, h)
	FromFloat16(y[:5], h[:5])
	require.Equal(t, []float32{1, -2, 65504, float32(math.Inf(1)), 0x1p-24}, y[:5])
	ToBfloat16(h, []float32{1, -2, 1 + 0x1p-8, 1 + 0x3p-8, math.MaxFloat32, float32(math.NaN())})
	require.Equal(t, []uint16{0x3f80, 0xc000, 0x3f80, 0x3f82, 0x7f80, 0x7fc0}, h)
	FromBfloat16(y[:4], h[:4])
	require.Equal(t, []float32{1, -2, 1, 1 + 0x1p-6}, y[:4])
}

// A conversion and its inverse give a value within half a step of the scale. The greatest
// number is ±127 steps.
func TestInt8IsWithinHalfAStep(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		x := floats(t, "x", rapid.IntRange(1, 50).Draw(t, "n"), 10)
		q, y := make([]int8, len(x)), make([]float32, len(x))
		scale := Int8Scale(x)
		ToInt8(q, x, scale)
		FromInt8(y, q, scale)
		for i := range x {
			require.InDelta(t, x[i], y[i], float64(scale)*0.50001)
			if abs := float32(math.Abs(float64(x[i]))); abs == AbsMax(x) && scale > 0x1p-126 {
				require.Equal(t, 127.0, math.Abs(float64(q[i])))
			}
		}
	})
}

// If all numbers are 0, there is no scale, and all become 0.
func TestInt8OfNoNumbers(t *testing.T) {
	q, y := make([]int8, 3), make([]float32, 3)
	for _, x := range [][]float32{{0, 0, 0}, {1, float32(math.NaN()), 2}, {1, float32(math.Inf(1)), 2}} {
		ToInt8(q, x, Int8Scale(x))
		require.Equal(t, []int8{0, 0, 0}, q)
	}
	FromInt8(y, q, 0)
	require.Equal(t, []float32{0, 0, 0}, y)
}
