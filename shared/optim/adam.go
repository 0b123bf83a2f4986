package optim

import (
	"math"

	"tributary/shared/numeric"
)

// moments returns Adam's constants for the step after the given number of steps. Bias
// corrections are computed in float64 and rounded once, as in PyTorch.
func (f *Fold) moments(step int64) numeric.Moments {
	a, rate := f.adam, f.Rate(step)
	m := numeric.Moments{
		Beta1: float32(a.Beta1), Rest1: float32(1 - a.Beta1),
		Beta2: float32(a.Beta2), Rest2: float32(1 - a.Beta2),
		Rate:    float32(rate / (1 - power(a.Beta1, step+1))),
		Root2:   float32(math.Sqrt(1 - power(a.Beta2, step+1))),
		Epsilon: float32(a.Epsilon),
		Shrink:  1,
	}
	if f.decay == decoupled {
		m.Shrink = float32(1 - float64(rate*a.WeightDecay))
	} else {
		m.Decay = float32(a.WeightDecay)
	}
	return m
}

// power returns xⁿ, n ≥ 0, by squaring: a fixed sequence of multiplications.
func power(x float64, n int64) float64 {
	p := 1.0
	for ; n > 0; n >>= 1 {
		if n&1 == 1 {
			p = float64(p * x)
		}
		x = float64(x * x)
	}
	return p
}
