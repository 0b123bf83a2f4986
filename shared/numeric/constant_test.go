package numeric_test

import (
	"math"
	"testing"

	"github.com/stretchr/testify/require"

	"tributary/shared/numeric"
)

// The expected values follow from scikit-learn's formula, computed by hand.
func TestConstant(t *testing.T) {
	for _, c := range []struct {
		variance, mean float64
		n              int64
		want           bool
	}{
		{0, 0, 1, true},
		{0, 0.1, 40, true},
		{2.7e-33, 0.1, 40, true},  // 0.1 beside numbers a few ulp from it
		{7e-31, 0.1, 40, true},    // below (40·ε·0.1)² = 7.9e-31
		{9e-31, 0.1, 40, false},   // above it
		{1e-40, 1e-20, 10, false}, // small numbers vary as large ones do
		{0.04, 1e12, 1000, true},  // (1000·ε·1e12)² = 0.049
		{1, 1e12, 1000, false},
		{1, 1e9, 1000, false},           // seconds since 1970
		{math.NaN(), 0, 3, false},       // unknown
		{math.Inf(1), 1e200, 10, false}, // too large to scale; the caller reports it
	} {
		require.Equal(t, c.want, numeric.Constant(c.variance, c.mean, c.n), "%+v", c)
	}
}

func TestConstantRange(t *testing.T) {
	require.True(t, numeric.ConstantRange(5, 5))
	require.True(t, numeric.ConstantRange(0, 0))
	require.True(t, numeric.ConstantRange(0.3, 0.30000000000000004))
	require.True(t, numeric.ConstantRange(-0.30000000000000004, -0.3))
	require.False(t, numeric.ConstantRange(0, 5e-324))
	require.False(t, numeric.ConstantRange(-1e-300, 1e-300))
	require.False(t, numeric.ConstantRange(1700000000, 1700000001))
	require.False(t, numeric.ConstantRange(-math.MaxFloat64, math.MaxFloat64))
}
