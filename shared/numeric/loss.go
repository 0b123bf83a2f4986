package numeric

import "tributary/shared/numeric/internal/vector"

// A loss is computed in float64 and summed as one reduction in 16 lanes over all elements.
// Each element of its gradient is rounded once to float32.

// SigmoidCrossEntropy returns the sum of −log σ(z) where y = 1 and −log(1−σ(z)) where y =
// 0. It computes max(z,0) − z·y + log(1+e^−|z|), which cannot overflow; the relative error
// of a term is at most 2⁻³⁷. Unless d is nil, it writes σ(z) − y to d; d may be z or y. Any
// other y makes the sum NaN.
func SigmoidCrossEntropy(d, z, y []float32) float64 {
	var sum LaneSum
	sum.AddSigmoidCrossEntropy(z, y)
	if d != nil {
		SigmoidCrossEntropyGradient(d, z, y)
	}
	return sum.Value()
}

// SigmoidCrossEntropyGradient writes only the gradient of [SigmoidCrossEntropy].
func SigmoidCrossEntropyGradient(d, z, y []float32) {
	functions.SigmoidGradient.Apply(d, z, y[:len(z)])
}

// SquaredError returns scale·Σ (ŷ−y)², where z is the predictions ŷ and residuals are
// float64. Unless d is nil, it writes the gradient 2·scale·(ŷ−y) to d, which may be z or y.
func SquaredError(d, z, y []float32, scale float64) float64 {
	var sum LaneSum
	sum.AddSquaredError(z, y)
	if d != nil {
		SquaredErrorGradient(d, z, y, scale)
	}
	return sum.Scaled(scale)
}

// SquaredErrorGradient writes only the gradient of [SquaredError].
func SquaredErrorGradient(d, z, y []float32, scale float64) {
	functions.Residual(d, z, y, float64(2*scale))
}

// AbsoluteErrorGradient writes scale·sign(ŷ−y) to d, and 0 where ŷ = y. z is the predictions
// ŷ. d may be z or y.
func AbsoluteErrorGradient(d, z, y []float32, scale float64) { vector.Slope(d, z, y, -1, 1, scale) }

// HuberGradient writes scale·(ŷ−y) to d, with ŷ−y limited to ±delta. d may be z or y.
func HuberGradient(d, z, y []float32, delta, scale float64) {
	vector.HuberSlope(d, z, y, delta, scale)
}

// QuantileGradient writes −scale·q to d where ŷ is below y, scale·(1−q) where it is above,
// and 0 where ŷ = y. d may be z or y.
func QuantileGradient(d, z, y []float32, q, scale float64) { vector.Slope(d, z, y, -q, 1-q, scale) }

// MultilabelGradient writes scale·(σ(z) − y) to d, which may be z or y.
func MultilabelGradient(d, z, y []float32, scale float64) { vector.SigmoidSlope(d, z, y, scale) }

// PoissonGradient writes scale·(e^z − y) to d, which may be z or y.
func PoissonGradient(d, z, y []float32, scale float64) { vector.PoissonSlope(d, z, y, scale) }
