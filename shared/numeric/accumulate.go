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

// Value returns the sum. A NaN result is the canonical NaN.
func (s *LaneSum) Value() float64 { return s.lanes.Sum() }

// Scaled returns the sum times scale, rounded.
func (s *LaneSum) Scaled(scale float64) float64 {
	return vector.Canonical64(float64(scale * s.lanes.Sum()))
}
