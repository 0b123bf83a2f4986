package vector

import "math"

// Exp64 returns eˣ in float64. Below −128, x is replaced by −128; x must be at most 128.
func Exp64(x float64) float64 { return exp64(atLeast(x, -128)) }

// Likelihood returns p = e^−l and q = 1 − e^−l, for a cross-entropy l of at least 0: the
// probability of the right class and that of all others. q has no cancellation. From l =
// 128 on, l is replaced by 128.
func Likelihood(l float64) (p, q float64) {
	s, m := exponential(atLeast(-l, -128))
	return math.FMA(s, m, s), -math.FMA(s, m, s-1)
}

// SigmoidLossRows writes the terms that sigmoidLoss adds to terms. Unless d is nil, it
// writes σ(z) − y to d.
func SigmoidLossRows(terms []float64, d, z, y []float32) {
	terms, y = terms[:len(z)], y[:len(z)]
	for i := range z {
		terms[i] = sigmoidTerm(z[i], y[i])
		if d != nil {
			d[i] = SigmoidGradient(z[i], y[i])
		}
	}
}
