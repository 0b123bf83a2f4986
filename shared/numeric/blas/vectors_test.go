package blas

import (
	"math"
	"testing"

	"github.com/stretchr/testify/require"
	"gonum.org/v1/gonum/blas"

	"tributary/shared/numeric/fma"
	"tributary/shared/numeric/isa"
)

var increments = []int{1, 1, 2, -1, -3}

func vectorLen(n, inc int) int { return max(0, (n-1)*max(inc, -inc)+1) }

func strided(r *random, rows, cols, ld, kind int) []float32 { return r.floats(rows*ld+cols, kind) }

func TestSgemvEqualsSpecification(t *testing.T) {
	r := random(5)
	for range 600 {
		m, n, kind := r.intn(90), r.intn(90), r.intn(kinds)
		tA, incX, incY := transposes[r.intn(2)], increments[r.intn(5)], increments[r.intn(5)]
		alpha, beta := []float32{1, 1, 0, -0.7}[r.intn(4)], []float32{0, 1, 3}[r.intn(3)]
		lda := max(1, n) + r.intn(4)
		rows, cols := stored(tA, m, n)
		a, x, y := strided(&r, m, n, lda, kind), r.floats(vectorLen(cols, incX), kind), r.floats(vectorLen(rows, incY), kind)
		want := append([]float32(nil), y...)
		for i := range rows {
			if n == 0 || m == 0 {
				break
			}
			p := &want[place(i, rows, incY)]
			*p = start(*p, beta)
			for j := range cols {
				if alpha == 0 {
					break
				}
				e, s := a[i*lda*b2i(tA == blas.NoTrans)+j*b2i(tA == blas.NoTrans)+(j*lda+i)*b2i(tA != blas.NoTrans)], x[place(j, cols, incX)]
				if alpha != 1 {
					s = float32(alpha * s)
				}
				*p = fma.Float32(e, s, *p)
			}
		}
		for _, s := range isa.Available() {
			got := append([]float32(nil), y...)
			Implementation{Set: s}.Sgemv(tA, m, n, alpha, a, lda, x, incX, beta, got, incY)
			same(t, want, got, "%s: %c %d × %d, α %v, β %v, increments %d, %d", s, tA, m, n, alpha, beta, incX, incY)
		}
	}
}

func b2i(b bool) int {
	if b {
		return 1
	}
	return 0
}

func TestSgerEqualsSpecification(t *testing.T) {
	r := random(6)
	for range 600 {
		m, n, kind := r.intn(70), r.intn(70), r.intn(kinds)
		incX, incY, alpha := increments[r.intn(5)], increments[r.intn(5)], []float32{1, 1, 0, -0.7}[r.intn(4)]
		lda := max(1, n) + r.intn(4)
		a, x, y := strided(&r, m, n, lda, kind), r.floats(vectorLen(m, incX), kind), r.floats(vectorLen(n, incY), kind)
		want := append([]float32(nil), a...)
		for i := range m {
			for j := range n {
				if alpha != 0 {
					s := x[place(i, m, incX)]
					if alpha != 1 {
						s = float32(alpha * s)
					}
					want[i*lda+j] = fma.Float32(s, y[place(j, n, incY)], want[i*lda+j])
				}
			}
		}
		for _, s := range isa.Available() {
			got := append([]float32(nil), a...)
			Implementation{Set: s}.Sger(m, n, alpha, x, incX, y, incY, got, lda)
			same(t, want, got, "%s: %d × %d, α %v, increments %d, %d", s, m, n, alpha, incX, incY)
		}
	}
}

func TestSaxpyAndSscalEqualSpecification(t *testing.T) {
	r := random(7)
	for range 600 {
		n, kind, incX, incY := r.intn(200), r.intn(kinds), increments[r.intn(5)], increments[r.intn(5)]
		alpha := []float32{1, 0, -0.7}[r.intn(3)]
		x, y := r.floats(vectorLen(n, incX), kind), r.floats(vectorLen(n, incY), kind)
		want, scaled := append([]float32(nil), y...), append([]float32(nil), x...)
		for i := range n {
			if p := &want[place(i, n, incY)]; alpha != 0 {
				*p = fma.Float32(alpha, x[place(i, n, incX)], *p)
			}
			if p := &scaled[place(i, n, incX)]; incX > 0 {
				*p = fma.Canonical(float32(alpha * *p))
				if alpha == 0 {
					*p = 0
				}
			}
		}
		for _, s := range isa.Available() {
			got := append([]float32(nil), y...)
			Implementation{Set: s}.Saxpy(n, alpha, x, incX, got, incY)
			same(t, want, got, "%s: axpy %d, α %v, increments %d, %d", s, n, alpha, incX, incY)
		}
		for _, s := range isa.Available() {
			got := append([]float32(nil), x...)
			Implementation{Set: s}.Sscal(n, alpha, got, incX)
			same(t, scaled, got, "%s: scal %d, α %v, increment %d", s, n, alpha, incX)
		}
	}
}

// sum is a reduction that follows the specification literally.
func sum(terms []float64) float64 {
	var lanes [16]float64
	for i, v := range terms {
		lanes[i%16] += v
	}
	for half := 8; half > 0; half /= 2 {
		for j := range half {
			lanes[j] += lanes[j+half]
		}
	}
	return lanes[0]
}

func TestSdotSnrm2AndSasumEqualSpecification(t *testing.T) {
	r := random(8)
	for range 600 {
		n, kind, incX, incY := r.intn(200), r.intn(kinds), increments[r.intn(5)], increments[r.intn(5)]
		x, y := r.floats(vectorLen(n, incX), kind), r.floats(vectorLen(n, incY), kind)
		var products, squares, sizes []float64
		for i := range n {
			a, b := float64(x[place(i, n, incX)]), float64(y[place(i, n, incY)])
			products = append(products, a*b)
			if incX > 0 {
				squares, sizes = append(squares, a*a), append(sizes, math.Abs(a))
			}
		}
		want := []float32{float32(sum(products)), float32(math.Sqrt(sum(squares))), float32(sum(sizes))}
		for i, v := range want {
			want[i] = fma.Canonical(v)
		}
		for _, s := range isa.Available() {
			im := Implementation{Set: s}
			got := []float32{im.Sdot(n, x, incX, y, incY), im.Snrm2(n, x, incX), im.Sasum(n, x, incX)}
			same(t, want, got, "%s: dot, norm and sum of %d, increments %d, %d", s, n, incX, incY)
		}
	}
}

func TestFaultsOfCallersPanicLikeGonum(t *testing.T) {
	one, im := []float32{1}, Implementation{}
	for fault, call := range map[string]func(){
		badTranspose: func() { im.Sgemm('x', blas.NoTrans, 1, 1, 1, 1, one, 1, one, 1, 0, one, 1) },
		mLT0:         func() { im.Sgemm(blas.NoTrans, blas.NoTrans, -1, 1, 1, 1, one, 1, one, 1, 0, one, 1) },
		nLT0:         func() { im.Sgemv(blas.NoTrans, 1, -1, 1, one, 1, one, 1, 0, one, 1) },
		kLT0:         func() { im.Sgemm(blas.NoTrans, blas.NoTrans, 1, 1, -1, 1, one, 1, one, 1, 0, one, 1) },
		badLdA:       func() { im.Sgemm(blas.NoTrans, blas.NoTrans, 1, 1, 2, 1, one, 1, one, 1, 0, one, 1) },
		badLdB:       func() { im.Sgemm(blas.NoTrans, blas.NoTrans, 1, 2, 1, 1, one, 1, one, 1, 0, one, 2) },
		badLdC:       func() { im.Sgemm(blas.NoTrans, blas.Trans, 1, 2, 1, 1, one, 1, one, 1, 0, one, 1) },
		shortA:       func() { im.Sger(2, 1, 1, []float32{1, 2}, 1, one, 1, one, 1) },
		shortB:       func() { im.Sgemm(blas.NoTrans, blas.NoTrans, 1, 2, 1, 1, one, 1, one, 2, 0, []float32{1, 2}, 2) },
		shortC:       func() { im.Sgemm(blas.Trans, blas.NoTrans, 2, 1, 1, 1, []float32{1, 2}, 2, one, 1, 0, one, 1) },
		zeroIncX:     func() { im.Saxpy(1, 1, one, 0, one, 1) },
		zeroIncY:     func() { im.Sger(1, 1, 1, one, 1, one, 0, one, 1) },
		shortX:       func() { im.Sscal(2, 1, one, 1) },
		shortY:       func() { im.Sgemv(blas.NoTrans, 2, 1, 1, []float32{1, 2}, 1, one, 1, 0, one, 1) },
	} {
		require.PanicsWithValue(t, fault, call)
	}
}
