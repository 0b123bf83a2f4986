package numeric

import (
	"math"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestPenalize(t *testing.T) {
	g := []float32{1, 1, 1, 1, 1}
	nan, zero := float32(math.NaN()), float32(0)
	Penalize(g, []float32{2, -2, 0, -zero, nan}, 0.5, 0.25)
	require.Equal(t, []float32{2, 0, 1, 1}, g[:4])
	require.Equal(t, uint32(0x7fc00000), math.Float32bits(g[4]))

	d := []float32{3, -1, nan}
	Divide(d, d, 4)
	require.Equal(t, []float32{0.75, -0.25}, d[:2])
	require.Equal(t, uint32(0x7fc00000), math.Float32bits(d[2]))
}
