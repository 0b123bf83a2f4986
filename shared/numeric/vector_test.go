package numeric

import (
	"math"
	"testing"

	"github.com/stretchr/testify/require"
	"gonum.org/v1/gonum/blas"
	"gonum.org/v1/gonum/blas/blas32"
	"pgregory.net/rapid"
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

func TestAligned(t *testing.T) {
	for n := range 40 {
		v := Aligned(n)
		require.Len(t, v, n)
		require.Equal(t, n, cap(v))
		if n > 0 {
			require.Zero(t, address(v)%alignment)
			require.True(t, IsAligned(v))
		}
		if n > 1 {
			require.False(t, IsAligned(v[1:]))
		}
	}
}

// A product's bits must not depend on where its left factor and its result
// lie; on where the right one does they may, which is why Aligned exists.
func TestProductDependsOnRightFactorsPlaceAlone(t *testing.T) {
	const b, o, i = 3, 5, 37
	rapid.Check(t, func(t *rapid.T) {
		x, w := floats(t, "x", b*i, 1), Aligned(o*i)
		copy(w, floats(t, "w", o*i, 1))
		var want []float32
		for skip := range 4 {
			at, y := Aligned(b*i + 4)[skip:][:b*i], Aligned(b*o + 4)[skip:][:b*o]
			copy(at, x)
			blas32.Gemm(blas.NoTrans, blas.Trans, 1,
				blas32.General{Rows: b, Cols: i, Stride: i, Data: at},
				blas32.General{Rows: o, Cols: i, Stride: i, Data: w}, 0,
				blas32.General{Rows: b, Cols: o, Stride: o, Data: y})
			if skip == 0 {
				want = y
			}
			require.Equal(t, want, y)
		}
	})
}

func TestFingerprint(t *testing.T) {
	require.Regexp(t, `^[0-9a-f]{16}$`, Fingerprint())
	require.Equal(t, Fingerprint(), fingerprint(), "a second computation in the same process")
}

func BenchmarkFingerprint(b *testing.B) {
	for b.Loop() {
		fingerprint()
	}
}
