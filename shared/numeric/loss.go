package numeric

import "math"

// SigmoidCrossEntropy returns Σ −log σ(z) where y = 1 and −log(1−σ(z)) where
// y = 0, in the form max(z,0) − z·y + log(1+e^−|z|), which cannot overflow.
// Unless d is nil, d becomes σ(z) − y. A y that is neither makes the sum NaN.
func SigmoidCrossEntropy(d, z, y []float32) float64 {
	total := 0.0
	for i, v := range z {
		x, t := float64(v), float64(y[i])
		if t != 0 && t != 1 {
			total = math.NaN()
		}
		total += max(x, 0) - float64(x*t) + log1p(exp(-math.Abs(x)))
		if d != nil {
			d[i] = float32(sigmoid(x) - t)
		}
	}
	return total
}

// SquaredError returns scale·Σ (ŷ−y)², z the predictions ŷ, with residuals in float64 and,
// unless d is nil, writes its gradient 2·scale·(ŷ−y) to d.
func SquaredError(d, z, y []float32, scale float64) float64 {
	total := 0.0
	for i, v := range z {
		r := float64(v) - float64(y[i])
		total += float64(r * r)
		if d != nil {
			d[i] = float32(2 * scale * r)
		}
	}
	return float64(scale * total)
}
