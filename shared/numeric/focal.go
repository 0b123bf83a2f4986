package numeric

import "tributary/shared/numeric/internal/vector"

// The focal loss of Lin et al., "Focal loss for dense object detection" (2017), without α: of
// a row with the cross-entropy l, it is (1 − e^−l)^γ·l. Rows that are already classified well
// count little.

// FocalRows turns the cross-entropies terms [B] into focal losses, and the rows of their
// gradient d [B, O] into that of the focal loss. gamma is above 0. With p = e^−l, q = 1 − p
// and f = q^γ, a term becomes f·l, and a row of d is multiplied by f·(1 + γ·p·(l/q)), in
// float64; l/q is 1 where q is 0.
func FocalRows(terms []float64, d []float32, gamma float64, outputs int) {
	for r, l := range terms {
		var slope float64
		terms[r], slope = focal(l, gamma)
		scaleRow(d[r*outputs:(r+1)*outputs], slope)
	}
}

// focal returns the focal loss of a cross-entropy, and its derivative.
func focal(l, gamma float64) (value, slope float64) {
	p, q := vector.Likelihood(l)
	f, ratio := vector.Exp64(float64(gamma*log(q))), 1.0
	if q != 0 {
		ratio = l / q
	}
	return float64(f * l), float64(f * (1 + float64(float64(gamma*p)*ratio)))
}

// SigmoidCrossEntropyRows is [SigmoidCrossEntropy], but it writes the terms of the elements to
// terms and does not add them. d may be z or y.
func SigmoidCrossEntropyRows(terms []float64, d, z, y []float32) {
	vector.SigmoidLossRows(terms, d, z, y)
}

// AddFocalSoftmax adds the focal losses of the terms of [SoftmaxCrossEntropy].
func (s *RowSum) AddFocalSoftmax(z, y []float32, classes int, gamma float64) {
	w := vector.Borrow()
	defer w.Return()
	for r, class := range y {
		v, _ := focal(softmaxRow(w, nil, z[r*classes:], class, classes), gamma)
		s.total += v
	}
}

// AddFocalSigmoid adds the focal losses of the terms of [SigmoidCrossEntropyRows].
func (s *RowSum) AddFocalSigmoid(z, y []float32, gamma float64) {
	var term [1]float64
	for i := range z {
		vector.SigmoidLossRows(term[:], nil, z[i:i+1], y[i:i+1])
		v, _ := focal(term[0], gamma)
		s.total += v
	}
}
