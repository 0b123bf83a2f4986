//go:build !race

package vector

import (
	"testing"

	"github.com/stretchr/testify/require"

	"tributary/shared/numeric/isa"
)

// With the race detector on, sync.Pool drops some of the values that it gets.
func TestLoopsDoNotAllocate(t *testing.T) {
	x, h, q := make([]float32, 100), make([]uint16, 100), make([]int8, 100)
	for _, set := range isa.Available() {
		k := Of(set)
		require.Zero(t, testing.AllocsPerRun(100, func() {
			k.Add(x, x, x)
			k.Axpy(x, x, float32(k.Dot(x, x)+k.Sum(x)+k.AbsSum(x)+k.Squares(x)+k.Deviations(x, 1)))
			k.Scale(x, x, k.Max(x)+k.AbsMax(x))
			k.ReLUBackward(x, x, x)
			k.ReLU(x, x)
			k.ToFloat16(h, x)
			k.FromFloat16(x, h)
			k.ToInt8(q, x, 1)
			k.FromInt8(x, q, 1)
			k.Descend(descents["nesterov"], x, x, x, 1)
			k.Adam(Moments{}, x, x, x, x, 1)
			k.RMSprop(RMSprop{}, x, x, x, x, x, 1)
			k.Adagrad(Adagrad{}, x, x, x, 1)
			k.Lion(Lion{}, x, x, x, 1)
			k.Clamp(x, x, 1, 1)
		}), set)
	}
}
