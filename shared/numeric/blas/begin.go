package blas

import "tributary/shared/numeric/fma"

// beginAt makes β·C of C [m, n] and reports whether chains start from it. For β =
// 0 they start from +0, and C is left as it is.
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

// fill is C [m, n] = 0.
func fill(c matrix, m, n int) {
	for i := range m {
		clear(c.v[i*c.rs : i*c.rs+n])
	}
}
