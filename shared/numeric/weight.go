package numeric

import "tributary/shared/numeric/fma"

// WeighRows multiplies each term of a loss, terms [B], and its row of the gradient d [B, O]
// by the weight of the term. The products are float64; an element of d is rounded once more.
// A weight of 0 gives +0, whatever the row has.
func WeighRows(terms []float64, d []float32, weights []float64, outputs int) {
	for r, w := range weights {
		terms[r] = Weigh(terms[r], w)
		scaleRow(d[r*outputs:(r+1)*outputs], w)
	}
}

// Weigh returns the product of a term and its weight, and +0 if the weight is 0.
func Weigh(term, weight float64) float64 {
	if weight == 0 {
		return 0
	}
	return float64(term * weight)
}

// scaleRow multiplies the elements of d by s. If s is 0, they become +0.
func scaleRow(d []float32, s float64) {
	if s == 0 {
		clear(d)
		return
	}
	for i, v := range d {
		d[i] = fma.Canonical(float32(float64(v) * s))
	}
}
