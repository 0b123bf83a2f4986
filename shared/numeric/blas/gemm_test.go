package blas

import (
	"fmt"
	"math"
	"testing"

	"github.com/stretchr/testify/require"
	"gonum.org/v1/gonum/blas"

	"tributary/shared/numeric/fma"
	"tributary/shared/numeric/isa"
)

// naive implements the specification of Sgemm literally.
func naive(tA, tB blas.Transpose, m, n, k int, alpha float32, a []float32, lda int, b []float32, ldb int, beta float32, c []float32, ldc int) {
	if k == 0 || alpha == 0 {
		k = 0
	}
	for i := range m {
		for j := range n {
			v := start(c[i*ldc+j], beta)
			for l := range k {
				x, y := float32(0), float32(0)
				if tA == blas.NoTrans {
					x = a[i*lda+l]
				} else {
					x = a[l*lda+i]
				}
				if tB == blas.NoTrans {
					y = b[l*ldb+j]
				} else {
					y = b[j*ldb+l]
				}
				if alpha != 1 {
					x = float32(alpha * x)
				}
				v = fma.Float32(x, y, v)
			}
			c[i*ldc+j] = v
		}
	}
}

// start returns the value from which a chain starts.
func start(c, beta float32) float32 {
	switch beta {
	case 0:
		return 0
	case 1:
		return c
	}
	return fma.Canonical(float32(beta * c))
}

// random is a source of test data that is independent of the code under test.
type random uint64

func (r *random) next() uint64 {
	*r ^= *r << 13
	*r ^= *r >> 7
	*r ^= *r << 17
	return uint64(*r)
}

func (r *random) intn(n int) int { return int(r.next() >> 33 % uint64(n)) }

var specials = []float32{
	0, float32(math.Copysign(0, -1)), 1, -1, math.MaxFloat32, -math.MaxFloat32,
	math.SmallestNonzeroFloat32, -math.SmallestNonzeroFloat32, 0x1p-126, 0x1p-140, 0x1p-75, 0x1p100,
	float32(math.Inf(1)), float32(math.Inf(-1)), float32(math.NaN()), math.Float32frombits(0xffc00123),
}

// Kinds of data: uniform in [-1, 1), many special values, near the subnormal range, and few
// bits, so that sums have ties and zeros.
const kinds = 4

func (r *random) float(kind int) float32 {
	u := float32(int32(r.next()>>32)) * 0x1p-31
	switch kind {
	case 1:
		if r.intn(12) == 0 {
			return specials[r.intn(len(specials))]
		}
	case 2:
		return u * 0x1p-70
	case 3:
		return float32(math.Ldexp(float64(r.intn(5)-2), -13*r.intn(3)))
	}
	return u
}

func (r *random) floats(n, kind int) []float32 {
	v := make([]float32, n)
	for i := range v {
		v[i] = r.float(kind)
	}
	return v
}

// same fails unless the bits of got and want are equal.
func same(t testing.TB, want, got []float32, format string, args ...any) {
	t.Helper()
	require.Len(t, got, len(want))
	for i, v := range want {
		if math.Float32bits(v) != math.Float32bits(got[i]) {
			t.Fatalf("%s: element %d: %x (%08x), want %x (%08x)", fmt.Sprintf(format, args...), i,
				got[i], math.Float32bits(got[i]), v, math.Float32bits(v))
		}
	}
}

var transposes = []blas.Transpose{blas.NoTrans, blas.Trans}

// gemmCase is one call that runs on every instruction set of this CPU.
type gemmCase struct {
	tA, tB      blas.Transpose
	m, n, k     int
	alpha, beta float32
	pad, kind   int
}

func (c gemmCase) check(t testing.TB, r *random) {
	t.Helper()
	ra, ca := stored(c.tA, c.m, c.k)
	rb, cb := stored(c.tB, c.k, c.n)
	lda, ldb, ldc := max(1, ca)+c.pad, max(1, cb)+2*c.pad, max(1, c.n)+3*c.pad
	off := c.pad & 3
	a, b := r.floats(ra*lda+off, c.kind)[off:], r.floats(rb*ldb+off, c.kind)[off:]
	c0 := r.floats(c.m*ldc+off, c.kind)[off:]
	want := append([]float32(nil), c0...)
	naive(c.tA, c.tB, c.m, c.n, c.k, c.alpha, a, lda, b, ldb, c.beta, want, ldc)
	for _, s := range isa.Available() {
		for _, threads := range []int{1, 3}[:1+min(1, c.m*c.n*c.k/(2*least))] { // smaller products are never split
			got := append([]float32(nil), c0...)
			Implementation{Set: s, Threads: threads}.Sgemm(c.tA, c.tB, c.m, c.n, c.k, c.alpha, a, lda, b, ldb, c.beta, got, ldc)
			same(t, want, got, "%s, %d threads: %+v", s, threads, c)
		}
	}
}

func TestSgemmEqualsSpecification(t *testing.T) {
	r := random(1)
	sizes := []int{0, 1, 2, 3, 5, 6, 7, 8, 15, 16, 17, 31, 33, 47, 64, 65, 100, 127, 130}
	depths := []int{0, 1, 2, 3, 8, 17, 64, 100, 257}
	betas := []float32{0, 1, 0, 1, -0.37}
	alphas := []float32{1, 1, 1, 1, 0, 1.7}
	for _, m := range sizes {
		for _, n := range sizes {
			c := gemmCase{
				tA: transposes[r.intn(2)], tB: transposes[r.intn(2)],
				m: m, n: n, k: depths[r.intn(len(depths))],
				alpha: alphas[r.intn(len(alphas))], beta: betas[r.intn(len(betas))], pad: r.intn(3) * 5, kind: r.intn(kinds),
			}
			for c.m*c.n*c.k > 60000 {
				c.k /= 2
			}
			c.check(t, &r)
		}
	}
}

// Every combination of transposes, scalars and data, on shapes that reach all blocks and
// remainders.
func TestSgemmCombinations(t *testing.T) {
	r := random(2)
	for _, shape := range [][3]int{{13, 33, 9}, {1, 10, 70}, {64, 10, 30}, {29, 7, 300}, {345, 35, 5}, {5, 400, 11}} {
		for i := range 4 {
			for _, beta := range []float32{0, 1, 2.5, float32(math.NaN())} {
				for kind := range kinds {
					for _, alpha := range []float32{1, -3} {
						gemmCase{transposes[i&1], transposes[i>>1], shape[0], shape[1], shape[2], alpha, beta, 1, kind}.check(t, &r)
					}
				}
			}
		}
	}
}

// More rows, columns and depth than any block.
func TestSgemmBlocks(t *testing.T) {
	r := random(3)
	for i := range 4 {
		gemmCase{transposes[i&1], transposes[i>>1], mc + 5, 11, kc + 3, 1, 0, 3, i}.check(t, &r)
		gemmCase{transposes[i&1], transposes[i>>1], 5, nc + 30, kc + 1, 1, 1, 0, i}.check(t, &r)
	}
}

// Few rows or few columns, or few columns after whole panels.
func TestSgemmFew(t *testing.T) {
	r := random(14)
	many := []int{1, 2, 5, 7, 8, 9, 16, 20, 25, 31, 33, 39, 40, 47, 63, 66, 71, 97, 131, 200}
	depths := []int{1, 3, 4, 7, 8, 9, 15, 18, 31, 65}
	for few := 1; few <= mostRows; few++ {
		for _, n := range many {
			for i := range 4 {
				c := gemmCase{
					tA: transposes[i&1], tB: transposes[i>>1], m: few, n: n, k: depths[r.intn(len(depths))],
					alpha: 1, beta: float32(r.intn(2)), pad: r.intn(2), kind: r.intn(kinds),
				}
				c.check(t, &r)
				c.checkAdd(t, &r)
				c.m, c.n = c.n, c.m
				c.check(t, &r)
				c.checkAdd(t, &r)
			}
		}
	}
	for rest := range fewRows + 1 {
		for i := range 4 {
			gemmCase{transposes[i&1], transposes[i>>1], 34 + rest, 32 + rest, 19 + rest, 1, float32(rest % 2), i & 1, i}.check(t, &r)
		}
	}
	// Few columns after 8 and 16, for a B whose columns are contiguous.
	for n := 4; n < 16; n++ {
		gemmCase{blas.NoTrans, blas.Trans, 19, n, 37 + n, 1, float32(n & 1), n & 2, n % kinds}.check(t, &r)
		gemmCase{blas.NoTrans, blas.Trans, 19, 32 + n, 21 + n, 1, 0, n & 2, n % kinds}.check(t, &r)
	}
	// More than a tile, and longer than the buffer for copies of columns.
	for i := range 4 {
		gemmCase{transposes[i&1], transposes[i>>1], tileCols(3) + 11, 3, 9, 1, float32(i & 1), 0, 0}.check(t, &r)
		gemmCase{transposes[i&1], transposes[i>>1], 2, 9, mostDots + 1, 1, 0, 0, 0}.check(t, &r)
	}
}

// Rows that conflict in the cache are copied, for any remainder of a block.
func TestSgemmConflictingStrides(t *testing.T) {
	r := random(9)
	for rows := 15; rows < 45; rows++ {
		gemmCase{blas.Trans, blas.NoTrans, rows, 97 + rows, 1 + rows%7, 1, float32(rows % 2), 256 - rows, 0}.check(t, &r)
		gemmCase{blas.NoTrans, blas.NoTrans, rows, 97 + rows, 21, 1, float32(rows % 2), 256 - 21, 1}.check(t, &r)
		gemmCase{blas.NoTrans, blas.Trans, rows, 97 + rows, 16, 1, 0, 256 - 16, 0}.check(t, &r)
	}
}

// The error is within the bound of the package comment.
func TestSgemmError(t *testing.T) {
	const m, n, k = 9, 35, 700
	r := random(8)
	a, b, c := r.floats(m*k, 0), r.floats(k*n, 0), r.floats(m*n, 0)
	got := append([]float32(nil), c...)
	Implementation{}.Sgemm(blas.NoTrans, blas.NoTrans, m, n, k, 1, a, k, b, n, 1, got, n)
	const u = 0x1p-24
	for i := range m {
		for j := range n {
			sum := float64(c[i*n+j])
			size := math.Abs(sum)
			for l := range k {
				p := float64(a[i*k+l]) * float64(b[l*n+j])
				sum, size = sum+p, size+math.Abs(p)
			}
			require.InDelta(t, sum, got[i*n+j], k*u/(1-k*u)*size)
		}
	}
}

// With β = 0 C is not read, and with α = 0 neither A nor B is read.
func TestSgemmDoesNotRead(t *testing.T) {
	nan := float32(math.NaN())
	for _, s := range isa.Available() {
		im := Implementation{Set: s}
		require.Equal(t, string(s), im.Name())
		c := []float32{nan, nan, 5}
		im.Sgemm(blas.NoTrans, blas.NoTrans, 1, 2, 1, 1, []float32{2}, 1, []float32{3, 4}, 2, 0, c, 2)
		require.Equal(t, []float32{6, 8, 5}, c)
		im.Sgemm(blas.NoTrans, blas.NoTrans, 1, 2, 1, 0, []float32{nan}, 1, []float32{nan, nan}, 2, 1, c, 2)
		require.Equal(t, []float32{6, 8, 5}, c)
		im.Sgemm(blas.NoTrans, blas.NoTrans, 1, 2, 0, 1, nil, 1, nil, 2, 0, c, 2)
		require.Equal(t, []float32{0, 0, 5}, c)
	}
}

func FuzzSgemm(f *testing.F) {
	f.Add(uint64(1), uint16(13), uint16(33), uint16(9), uint8(0))
	f.Add(uint64(2), uint16(1), uint16(10), uint16(300), uint8(255))
	f.Fuzz(func(t *testing.T, seed uint64, m, n, k uint16, bits uint8) {
		r := random(seed | 1)
		c := gemmCase{
			tA: transposes[bits&1], tB: transposes[bits>>1&1], m: int(m % 150), n: int(n % 150), k: int(k % 300),
			alpha: []float32{1, 0.3}[bits>>2&1], beta: []float32{0, 1, 1, -1.5}[bits>>3&3], pad: int(bits >> 5 & 1), kind: int(bits >> 6),
		}
		c.check(t, &r)
	})
}
