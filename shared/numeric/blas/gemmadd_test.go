package blas

import (
	"math"
	"testing"

	"github.com/stretchr/testify/require"
	"gonum.org/v1/gonum/blas"
	"gonum.org/v1/gonum/blas/blas32"

	"tributary/shared/numeric/fma"
	"tributary/shared/numeric/isa"
)

// naiveAdd implements the specification of GemmAdd: first the product, then a sum.
func naiveAdd(tA, tB blas.Transpose, m, n, k int, alpha float32, a []float32, lda int, b []float32, ldb int, c []float32, ldc int) {
	t := make([]float32, m*n)
	naive(tA, tB, m, n, k, alpha, a, lda, b, ldb, 0, t, n)
	for i := range m {
		for j := range n {
			c[i*ldc+j] = fma.Canonical(c[i*ldc+j] + t[i*n+j])
		}
	}
}

// checkAdd is check for GemmAdd; β has no meaning.
func (c gemmCase) checkAdd(t testing.TB, r *random) {
	t.Helper()
	ra, ca := stored(c.tA, c.m, c.k)
	rb, cb := stored(c.tB, c.k, c.n)
	lda, ldb, ldc := max(1, ca)+c.pad, max(1, cb)+2*c.pad, max(1, c.n)+3*c.pad
	a, b, c0 := r.floats(ra*lda, c.kind), r.floats(rb*ldb, c.kind), r.floats(c.m*ldc, c.kind)
	want := append([]float32(nil), c0...)
	naiveAdd(c.tA, c.tB, c.m, c.n, c.k, c.alpha, a, lda, b, ldb, want, ldc)
	for _, s := range isa.Available() {
		for _, threads := range []int{1, 3}[:1+min(1, c.m*c.n*c.k/(2*least))] {
			got := append([]float32(nil), c0...)
			Implementation{Set: s, Threads: threads}.SgemmAdd(c.tA, c.tB, c.m, c.n, c.k, c.alpha, a, lda, b, ldb, got, ldc)
			same(t, want, got, "%s, %d threads: %+v", s, threads, c)
		}
	}
}

func TestGemmAddEqualsProductThenSum(t *testing.T) {
	r := random(21)
	sizes := []int{0, 1, 2, 3, 5, 7, 8, 15, 17, 31, 33, 64, 65, 100}
	depths := []int{0, 1, 3, 17, 64, 257}
	alphas := []float32{1, 1, 1, 0, 1.7}
	for _, m := range sizes {
		for _, n := range sizes {
			c := gemmCase{
				tA: transposes[r.intn(2)], tB: transposes[r.intn(2)],
				m: m, n: n, k: depths[r.intn(len(depths))],
				alpha: alphas[r.intn(len(alphas))], pad: r.intn(3) * 5, kind: r.intn(kinds),
			}
			for c.m*c.n*c.k > 60000 {
				c.k /= 2
			}
			c.checkAdd(t, &r)
		}
	}
}

// More rows, columns and depth than any block, and bands for goroutines.
func TestGemmAddBlocks(t *testing.T) {
	r := random(22)
	for i := range 4 {
		gemmCase{transposes[i&1], transposes[i>>1], mc + 5, 11, kc + 3, 1, 0, 3, i}.checkAdd(t, &r)
		gemmCase{transposes[i&1], transposes[i>>1], 5, nc + 30, 2*kc + 1, 1, 0, 0, i}.checkAdd(t, &r)
	}
	gemmCase{blas.Trans, blas.NoTrans, 160, 70, 201, 1, 0, 0, 0}.checkAdd(t, &r)
	gemmCase{blas.NoTrans, blas.NoTrans, 90, 100, 261, 1, 0, 0, 1}.checkAdd(t, &r)
}

func TestGemmAddOfMatrices(t *testing.T) {
	a := blas32.General{Rows: 2, Cols: 1, Stride: 1, Data: []float32{0x1p-25, 1}}
	b := blas32.General{Rows: 2, Cols: 1, Stride: 1, Data: []float32{0x1p-25, 1}}
	c := blas32.General{Rows: 1, Cols: 1, Stride: 1, Data: []float32{-1}}
	GemmAdd(blas.Trans, blas.NoTrans, 1, a, b, c)
	// The chain rounds 2⁻⁵⁰ + 1 to 1; from C it would leave 2⁻⁵⁰.
	require.Equal(t, []float32{0}, c.Data)

	c.Data[0] = float32(math.Copysign(0, -1))
	GemmAdd(blas.Trans, blas.NoTrans, 0, a, b, c)
	require.False(t, math.Signbit(float64(c.Data[0])), "-0 + 0 is +0")
}
