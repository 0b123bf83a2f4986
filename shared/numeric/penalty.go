package numeric

import "tributary/shared/numeric/fma"

// Divide writes a/divisor to dst, which may be a. A NaN is the canonical NaN.
func Divide(dst, a []float32, divisor float32) {
	for i, v := range a {
		dst[i] = fma.Canonical(v / divisor)
	}
}

// Penalize adds the gradient of l1·Σ|p| + l2·Σp² to g: twice·p, where twice is 2·l2, and then
// l1 with the sign of p. The sign of 0 is 0. Each operation is rounded to float32.
func Penalize(g, p []float32, l1, twice float32) {
	for i, v := range p {
		sum := g[i] + float32(twice*v)
		switch {
		case v > 0:
			sum += l1
		case v < 0:
			sum -= l1
		}
		g[i] = fma.Canonical(sum)
	}
}
