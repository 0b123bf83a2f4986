package numeric

import "tributary/shared/numeric/internal/vector"

// RowSum is a sum of the terms of rows, added one after the other from +0. Callers may add
// the rows piece by piece. The zero value is the sum of no rows.
type RowSum struct{ total float64 }

// AddTerms adds terms in order.
func (s *RowSum) AddTerms(terms []float64) {
	for _, t := range terms {
		s.total += t
	}
}

// AddSoftmaxCrossEntropy adds the terms of [SoftmaxCrossEntropy].
func (s *RowSum) AddSoftmaxCrossEntropy(z, y []float32, classes int) {
	w := vector.Borrow()
	defer w.Return()
	for r, class := range y {
		s.total += softmaxRow(w, nil, z[r*classes:], class, classes)
	}
}

// AddSmoothedCrossEntropy adds the terms of [SmoothedCrossEntropyRows].
func (s *RowSum) AddSmoothedCrossEntropy(z, y []float32, classes int, smoothing float64) {
	w := vector.Borrow()
	defer w.Return()
	for r, class := range y {
		s.total += smoothedRow(w, nil, z[r*classes:(r+1)*classes:(r+1)*classes], class, smoothing)
	}
}

// Value returns the sum. A NaN result is the canonical NaN.
func (s *RowSum) Value() float64 { return vector.Canonical64(s.total) }

// LaneSum is a reduction in 16 lanes. Callers may add the elements piece by piece; the bits
// are the same as over all elements at once. Every piece except the last has a multiple of
// 16 elements. The zero value is the sum of no elements.
type LaneSum struct{ lanes vector.Lanes }

// AddSigmoidCrossEntropy adds the terms of [SigmoidCrossEntropy].
func (s *LaneSum) AddSigmoidCrossEntropy(z, y []float32) { functions.SigmoidLoss(&s.lanes, z, y) }

// AddSquaredError adds (ŷ−y)². z is the predictions ŷ.
func (s *LaneSum) AddSquaredError(z, y []float32) { functions.SquaredError(&s.lanes, z, y) }

// AddAbsoluteError adds |ŷ−y|. z is the predictions ŷ.
func (s *LaneSum) AddAbsoluteError(z, y []float32) { vector.SlopedError(&s.lanes, z, y, -1, 1) }

// AddHuber adds the terms of Huber's loss: with r = ŷ−y, ½r² where |r| ≤ delta, and
// delta·(|r| − ½delta) elsewhere.
func (s *LaneSum) AddHuber(z, y []float32, delta float64) { vector.HuberError(&s.lanes, z, y, delta) }

// AddQuantile adds the terms of the pinball loss: q·(y−ŷ) where ŷ is below y, and
// (1−q)·(ŷ−y) where it is above.
func (s *LaneSum) AddQuantile(z, y []float32, q float64) {
	vector.SlopedError(&s.lanes, z, y, -q, 1-q)
}

// AddPoisson adds e^z − y·z. A negative y makes the sum NaN.
func (s *LaneSum) AddPoisson(z, y []float32) { vector.PoissonError(&s.lanes, z, y) }

// Value returns the sum. A NaN result is the canonical NaN.
func (s *LaneSum) Value() float64 { return s.lanes.Sum() }

// Scaled returns the sum times scale, rounded.
func (s *LaneSum) Scaled(scale float64) float64 {
	return vector.Canonical64(float64(scale * s.lanes.Sum()))
}
