package blas

import (
	"gonum.org/v1/gonum/blas"
	"gonum.org/v1/gonum/blas/blas32"

	"tributary/shared/numeric/fma"
	"tributary/shared/numeric/internal/kernel"
	loops "tributary/shared/numeric/internal/vector"
)

// GemmAdd computes C ← C + α·op(A)·op(B) as one product and one sum of matrices. The
// product is a chain from +0, as [Implementation.Sgemm] with β = 0 stores it. Each of its
// elements is added to that of C with one rounding. GemmAdd computes left + right at a node
// of a tree of gradients, where right is this product. Sgemm with β = 1 is a different sum,
// because its chains start from C.
//
// It uses the Implementation that is installed in blas32, or the zero Implementation if
// another one is installed.
func GemmAdd(tA, tB blas.Transpose, alpha float32, a, b, c blas32.General) {
	m, k := stored(tA, a.Rows, a.Cols)
	_, n := stored(tB, b.Rows, b.Cols)
	im, _ := blas32.Implementation().(Implementation)
	im.SgemmAdd(tA, tB, m, n, k, alpha, a.Data, a.Stride, b.Data, b.Stride, c.Data, c.Stride)
}

// SgemmAdd computes C ← C + α·op(A)·op(B) as [GemmAdd] does. The arguments are Sgemm's.
func (im Implementation) SgemmAdd(tA, tB blas.Transpose, m, n, k int, alpha float32, a []float32, lda int, b []float32, ldb int, c []float32, ldc int) {
	checkGemm(tA, tB, m, n, k, a, lda, b, ldb, c, ldc)
	if m == 0 || n == 0 {
		return
	}
	if k == 0 || alpha == 0 {
		addZero(matrix{c, ldc, 1}, m, n)
		return
	}
	var p product
	p.set(tA, tB, m, n, k, alpha, a, lda, b, ldb, c, ldc)
	p.add = true
	p.cut(im.kernels(), im.Threads)
}

// addZero computes C [m, n] ← C + 0, the sum of C and of empty chains.
func addZero(c matrix, m, n int) {
	for i := range m {
		row := c.v[i*c.rs : i*c.rs+n]
		for j, v := range row {
			row[j] = fma.Canonical(v + 0)
		}
	}
}

// The block size of a product that is added. B is packed once for sumRows rows.
const (
	sumRows = 4 * mc
	sumCols = nc / 2
)

// runAside computes p, which adds to C, for any k. It computes one block of the product at
// a time in the workspace, from one kc of the chain to the next, and then adds the block to
// C.
func (p *product) runAside(s *kernel.Set, w *workspace) {
	if w.sum == nil {
		w.sum = aligned(sumRows * sumCols)
	}
	for j := 0; j < p.n; j += sumCols {
		for i := 0; i < p.m; i += sumRows {
			q := *p
			q.add = false
			q.m, q.n = min(sumRows, p.m-i), min(sumCols, p.n-j)
			q.a, q.b, q.c = p.a.view(i, 0), p.b.view(0, j), matrix{w.sum, sumCols, 1}
			q.blocks(s, w)
			add(s, p.c.view(i, j), q.c, q.m, q.n)
		}
	}
}

// add computes C [m, n] ← C + T. The rows of T are contiguous.
func add(s *kernel.Set, c, t matrix, m, n int) {
	k := loops.Of(s.Name)
	for i := range m {
		row := t.v[i*t.rs : i*t.rs+n]
		if c.cs == 1 {
			dst := c.v[i*c.rs:][:n]
			k.Add(dst, dst, row)
			continue
		}
		for j, v := range row {
			e := &c.v[i*c.rs+j*c.cs]
			*e = fma.Canonical(*e + v)
		}
	}
}
