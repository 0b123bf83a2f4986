package blas

import "gonum.org/v1/gonum/blas"

// Panics for invalid arguments, with gonum's messages. They are panics, as in gonum,
// because an argument of a matrix product comes from code and not from a user.
const (
	zeroIncX = "blas: zero x index increment"
	zeroIncY = "blas: zero y index increment"

	mLT0 = "blas: m < 0"
	nLT0 = "blas: n < 0"
	kLT0 = "blas: k < 0"

	badTranspose = "blas: illegal transpose"

	badLdA = "blas: bad leading dimension of A"
	badLdB = "blas: bad leading dimension of B"
	badLdC = "blas: bad leading dimension of C"

	shortX = "blas: insufficient length of x"
	shortY = "blas: insufficient length of y"
	shortA = "blas: insufficient length of a"
	shortB = "blas: insufficient length of b"
	shortC = "blas: insufficient length of c"
)

func checkTranspose(t blas.Transpose) {
	if t != blas.NoTrans && t != blas.Trans && t != blas.ConjTrans {
		panic(badTranspose)
	}
}

// stored returns the rows and columns in memory of a matrix that is rows × cols after op.
func stored(t blas.Transpose, rows, cols int) (int, int) {
	if t == blas.NoTrans {
		return rows, cols
	}
	return cols, rows
}

// checkLength panics with fault if v is too short for rows × cols with stride ld.
func checkLength(v []float32, rows, cols, ld int, fault string) {
	if rows > 0 && cols > 0 && len(v) < (rows-1)*ld+cols {
		panic(fault)
	}
}

func checkGemm(tA, tB blas.Transpose, m, n, k int, a []float32, lda int, b []float32, ldb int, c []float32, ldc int) {
	checkTranspose(tA)
	checkTranspose(tB)
	checkSize(m, mLT0)
	checkSize(n, nLT0)
	checkSize(k, kLT0)
	ra, ca := stored(tA, m, k)
	rb, cb := stored(tB, k, n)
	checkStride(lda, ca, badLdA)
	checkStride(ldb, cb, badLdB)
	checkStride(ldc, n, badLdC)
	if m == 0 || n == 0 {
		return
	}
	checkLength(a, ra, ca, lda, shortA)
	checkLength(b, rb, cb, ldb, shortB)
	checkLength(c, m, n, ldc, shortC)
}

func checkSize(n int, fault string) {
	if n < 0 {
		panic(fault)
	}
}

func checkStride(ld, cols int, fault string) {
	if ld < max(1, cols) {
		panic(fault)
	}
}

// checkVector panics if v is too short for n elements that are inc apart.
func checkVector(v []float32, n, inc int, zero, short string) {
	if inc == 0 {
		panic(zero)
	}
	if inc < 0 {
		inc = -inc
	}
	if n > 0 && len(v) < (n-1)*inc+1 {
		panic(short)
	}
}
