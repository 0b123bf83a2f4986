package numeric

import (
	"testing"

	"github.com/stretchr/testify/require"
)

func TestAverageHandValues(t *testing.T) {
	a := []float32{0, 4, -1}
	Average(a, []float32{8, 0, -1}, 0.25)
	require.Equal(t, []float32{2, 3, -1}, a)
	Average(a, []float32{0.1, 3, 5}, 1)
	require.Equal(t, []float32{float32(2 + float32(float32(0.1)-2)), 3, 5}, a)
}
