package blas

import (
	"gonum.org/v1/gonum/blas"
	"gonum.org/v1/gonum/blas/blas32"
	"gonum.org/v1/gonum/blas/gonum"

	"tributary/shared/numeric/internal/kernel"
	loops "tributary/shared/numeric/internal/vector"
	"tributary/shared/numeric/isa"
)

// Implementation is gonum's BLAS with the specified operations in place of gonum's. The
// zero value uses the instruction set of the process and the calling goroutine.
type Implementation struct {
	gonum.Implementation

	// Set is the instruction set; "" means [isa.Chosen]. The caller must not choose a set
	// that the CPU does not have.
	Set isa.Set
	// Threads is the largest number of goroutines that compute a large product; 0 means 1.
	Threads int
}

var _ blas.Float32 = Implementation{}

func init() { blas32.Use(Implementation{}) }

var (
	chosen      = kernel.Of(isa.Chosen())
	chosenLoops = loops.Of(isa.Chosen())
)

func (im Implementation) kernels() *kernel.Set {
	if im.Set == "" || im.Set == chosen.Name {
		return chosen
	}
	return kernel.Of(im.Set)
}

func (im Implementation) loops() *loops.Kernels {
	if im.Set == "" {
		return chosenLoops
	}
	return loops.Of(im.Set)
}

// Name returns the instruction set that products run on.
func (im Implementation) Name() string { return string(im.kernels().Name) }

// Sgemm computes C ← α·op(A)·op(B) + β·C as the package comment specifies.
func (im Implementation) Sgemm(tA, tB blas.Transpose, m, n, k int, alpha float32, a []float32, lda int, b []float32, ldb int, beta float32, c []float32, ldc int) {
	checkGemm(tA, tB, m, n, k, a, lda, b, ldb, c, ldc)
	if m == 0 || n == 0 {
		return
	}
	load := beta == 1
	if beta != 0 && beta != 1 {
		load = beginAt(matrix{c, ldc, 1}, m, n, beta)
	}
	if k == 0 || alpha == 0 {
		if !load {
			fill(matrix{c, ldc, 1}, m, n)
		}
		return
	}
	var p product
	p.set(tA, tB, m, n, k, alpha, a, lda, b, ldb, c, ldc)
	p.load = load
	p.cut(im.kernels(), im.Threads)
}

// set sets p to the product C ← chain over α·op(A) and op(B), from +0. It assigns field by
// field, because copying a struct just after its parts were written makes the CPU wait for
// them.
func (p *product) set(tA, tB blas.Transpose, m, n, k int, alpha float32, a []float32, lda int, b []float32, ldb int, c []float32, ldc int) {
	p.m, p.n, p.k, p.alpha, p.beta = m, n, k, alpha, 1
	p.a.v, p.a.rs, p.a.cs = a, lda, 1
	p.b.v, p.b.rs, p.b.cs = b, ldb, 1
	p.c.v, p.c.rs, p.c.cs = c, ldc, 1
	if tA != blas.NoTrans {
		p.a.rs, p.a.cs = 1, lda
	}
	if tB != blas.NoTrans {
		p.b.rs, p.b.cs = 1, ldb
	}
}
