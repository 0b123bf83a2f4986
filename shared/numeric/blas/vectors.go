package blas

import (
	"math"

	"gonum.org/v1/gonum/blas"

	"tributary/shared/numeric/fma"
)

// Sgemv computes y ← α·op(A)·x + β·y as the package comment specifies.
func (im Implementation) Sgemv(tA blas.Transpose, m, n int, alpha float32, a []float32, lda int, x []float32, incX int, beta float32, y []float32, incY int) {
	checkTranspose(tA)
	checkSize(m, mLT0)
	checkSize(n, nLT0)
	checkStride(lda, n, badLdA)
	rows, cols := stored(tA, m, n)
	checkVector(x, cols, incX, zeroIncX, shortX)
	checkVector(y, rows, incY, zeroIncY, shortY)
	if m == 0 || n == 0 {
		return
	}
	checkLength(a, m, n, lda, shortA)

	w := workspaces.Get().(*workspace)
	defer workspaces.Put(w)
	out := vector(&w.y, y, rows, incY)
	c := matrix{out, rows, 1}
	load := beginAt(c, 1, rows, beta)
	if alpha == 0 {
		if !load {
			fill(c, 1, rows)
		}
	} else {
		row, b := matrix{vector(&w.x, x, cols, incX), cols, 1}, matrix{a, 1, lda}
		if tA != blas.NoTrans {
			b = b.transposed()
		}
		p := product{m: 1, n: rows, k: cols, a: row, b: b, c: c, alpha: alpha, beta: 1, load: load}
		p.run(im.kernels(), w)
	}
	spread(y, out, rows, incY)
}

// Sger computes A ← α·x·yᵀ + A as the package comment specifies.
func (im Implementation) Sger(m, n int, alpha float32, x []float32, incX int, y []float32, incY int, a []float32, lda int) {
	checkSize(m, mLT0)
	checkSize(n, nLT0)
	checkStride(lda, n, badLdA)
	checkVector(x, m, incX, zeroIncX, shortX)
	checkVector(y, n, incY, zeroIncY, shortY)
	if m == 0 || n == 0 {
		return
	}
	checkLength(a, m, n, lda, shortA)
	if alpha == 0 {
		return
	}
	w := workspaces.Get().(*workspace)
	defer workspaces.Put(w)
	column, row := matrix{vector(&w.x, x, m, incX), 1, 1}, matrix{vector(&w.y, y, n, incY), n, 1}
	p := product{m: m, n: n, k: 1, a: column, b: row, c: matrix{a, lda, 1}, alpha: alpha, beta: 1, load: true}
	p.run(im.kernels(), w)
}

// Saxpy computes y ← α·x + y as the package comment specifies.
func (im Implementation) Saxpy(n int, alpha float32, x []float32, incX int, y []float32, incY int) {
	checkVector(x, n, incX, zeroIncX, shortX)
	checkVector(y, n, incY, zeroIncY, shortY)
	if n < 1 || alpha == 0 {
		if n < 0 {
			panic(nLT0)
		}
		return
	}
	w := workspaces.Get().(*workspace)
	defer workspaces.Put(w)
	out := vector(&w.y, y, n, incY)
	im.loops().Axpy(out, vector(&w.x, x, n, incX), alpha)
	spread(y, out, n, incY)
}

// Sscal computes x ← α·x as the package comment specifies.
func (im Implementation) Sscal(n int, alpha float32, x []float32, incX int) {
	if !single(n, x, incX) {
		return
	}
	if incX == 1 && alpha != 0 {
		im.loops().Scale(x[:n], x[:n], alpha)
		return
	}
	for i := range n {
		v := &x[i*incX]
		if alpha == 0 {
			*v = 0
		} else {
			*v = fma.Canonical(float32(alpha * *v))
		}
	}
}

// Sdot returns Σ x·y as the package comment specifies.
func (im Implementation) Sdot(n int, x []float32, incX int, y []float32, incY int) float32 {
	checkVector(x, n, incX, zeroIncX, shortX)
	checkVector(y, n, incY, zeroIncY, shortY)
	checkSize(n, nLT0)
	w := workspaces.Get().(*workspace)
	defer workspaces.Put(w)
	return fma.Canonical(float32(im.loops().Dot(vector(&w.x, x, n, incX), vector(&w.y, y, n, incY))))
}

// Snrm2 returns √Σ x² as the package comment specifies.
func (im Implementation) Snrm2(n int, x []float32, incX int) float32 {
	if !single(n, x, incX) {
		return 0
	}
	w := workspaces.Get().(*workspace)
	defer workspaces.Put(w)
	return fma.Canonical(float32(math.Sqrt(im.loops().Squares(vector(&w.x, x, n, incX)))))
}

// Sasum returns Σ |x| as the package comment specifies.
func (im Implementation) Sasum(n int, x []float32, incX int) float32 {
	if !single(n, x, incX) {
		return 0
	}
	w := workspaces.Get().(*workspace)
	defer workspaces.Put(w)
	return fma.Canonical(float32(im.loops().AbsSum(vector(&w.x, x, n, incX))))
}

// single checks the only vector of an operation and reports whether there is something to
// do. With a negative increment there is nothing to do, as in gonum and the reference BLAS.
func single(n int, x []float32, incX int) bool {
	if incX < 1 {
		if incX == 0 {
			panic(zeroIncX)
		}
		return false
	}
	checkSize(n, nLT0)
	if n > 0 && len(x) < (n-1)*incX+1 {
		panic(shortX)
	}
	return n > 0
}

// vector returns the n elements of v that are inc apart. If they are contiguous, it returns
// v itself, otherwise a copy in *buf. With a negative inc the last element comes first.
func vector(buf *[]float32, v []float32, n, inc int) []float32 {
	if inc == 1 {
		return v[:n]
	}
	if cap(*buf) < n {
		*buf = make([]float32, n)
	}
	out := (*buf)[:n]
	for i := range out {
		out[i] = v[place(i, n, inc)]
	}
	return out
}

// spread copies the elements that vector copied back to v. It does nothing if vector did
// not copy.
func spread(v, from []float32, n, inc int) {
	if inc == 1 {
		return
	}
	for i, x := range from {
		v[place(i, n, inc)] = x
	}
}

// place returns the index of element i of n.
func place(i, n, inc int) int {
	if inc < 0 {
		return (i - n + 1) * inc
	}
	return i * inc
}
