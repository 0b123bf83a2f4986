package numeric

import (
	"math"
	"testing"

	"github.com/stretchr/testify/require"
)

// ulps returns the distance of got from want in units of want's last place.
func ulps(got, want float64) float64 {
	if got == want || (math.IsNaN(got) && math.IsNaN(want)) {
		return 0
	}
	return math.Abs(got-want) / (math.Nextafter(math.Abs(want), math.Inf(1)) - math.Abs(want))
}

// The twin is the standard library's logarithm. It is within an ulp, except for subnormal
// numbers, where that of amd64 is wrong.
func TestLog64(t *testing.T) {
	r := NewRand(7, ForSynthetic, 0, 0)
	for _, hi := range []float64{1e6, 2} {
		for range 50000 {
			x := hi * float64(r.Uint64()>>11) / (1 << 53)
			require.LessOrEqual(t, ulps(log(x), math.Log(x)), 2.0, "x = %v", x)
		}
	}
	inf := math.Inf(1)
	for x, want := range map[float64]float64{0: -inf, 1: 0, inf: inf, -1: math.NaN(), 5e-324: -744.4400719213812} {
		require.Zero(t, ulps(log(x), want), "x = %v", x)
	}
	require.True(t, math.IsNaN(log(math.NaN())))
}
