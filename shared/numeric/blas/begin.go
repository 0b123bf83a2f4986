package blas

import "tributary/shared/numeric/fma"

// beginAt multiplies C [m, n] by β and reports whether chains start from C. For β = 0
// chains start from +0, and beginAt does not change C.
func beginAt(c matrix, m, n int, beta float32) (load bool) {
	switch beta {
	case 0:
		return false
	case 1:
		return true
	}
	for i := range m {
		for j := range n {
			v := &c.v[i*c.rs+j*c.cs]
			*v = fma.Canonical(float32(beta * *v))
		}
	}
	return true
}

// fill sets C [m, n] to 0.
func fill(c matrix, m, n int) {
	for i := range m {
		clear(c.v[i*c.rs : i*c.rs+n])
	}
}
