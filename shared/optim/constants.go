package optim

import (
	"math"

	"tributary/shared/job"
	"tributary/shared/numeric"
)

// constants holds the constants of one step. Only those of the optimizer's kind are set.
type constants struct {
	descent numeric.Descent
	moments numeric.Moments
	rmsprop numeric.RMSprop
	adagrad numeric.Adagrad
	lion    numeric.Lion
}

// constants returns the constants of the step after the given number of steps, for
// parameters that have the weight decay. They are computed in float64 and rounded once, as
// in PyTorch.
func (f *Fold) constants(step int64, clip float32, decay float64) (c constants) {
	rate := f.Rate(step)
	switch o := &f.optimizer; {
	case o.SGD != nil:
		c.descent = numeric.Descent{
			Rate: float32(rate), Momentum: float32(o.SGD.Momentum),
			Decay: float32(decay), Nesterov: o.SGD.Nesterov, Clip: clip,
		}
	case o.Adam != nil:
		c.moments = moments(o.Adam, rate, step)
		c.moments.Decay, c.moments.Shrink, c.moments.Clip = float32(decay), 1, clip
	case o.AdamW != nil:
		c.moments = moments(o.AdamW, rate, step)
		c.moments.Shrink, c.moments.Clip = shrink(rate, decay), clip
	case o.RMSprop != nil:
		r := o.RMSprop
		c.rmsprop = numeric.RMSprop{
			Alpha: float32(r.Alpha), Rest: float32(1 - r.Alpha), Rate: float32(rate),
			Epsilon: float32(r.Epsilon), Momentum: float32(r.Momentum), Decay: float32(decay), Clip: clip,
		}
	case o.Adagrad != nil:
		a := o.Adagrad
		c.adagrad = numeric.Adagrad{
			Rate:    float32(rate),
			Initial: float32(a.InitialAccumulatorValue), Epsilon: float32(a.Epsilon), Decay: float32(decay), Clip: clip,
		}
	default:
		l := o.Lion
		c.lion = numeric.Lion{
			Beta1: float32(l.Beta1), Rest1: float32(1 - l.Beta1), Beta2: float32(l.Beta2), Rest2: float32(1 - l.Beta2),
			Rate: float32(rate), Shrink: shrink(rate, decay), Clip: clip,
		}
	}
	return c
}

// moments returns Adam's constants, without those of weight decay and clipping.
func moments(a *job.Adam, rate float64, step int64) numeric.Moments {
	return numeric.Moments{
		Beta1: float32(a.Beta1), Rest1: float32(1 - a.Beta1),
		Beta2: float32(a.Beta2), Rest2: float32(1 - a.Beta2),
		Rate:    float32(rate / (1 - power(a.Beta1, step+1))),
		Root2:   float32(math.Sqrt(1 - power(a.Beta2, step+1))),
		Epsilon: float32(a.Epsilon),
	}
}

// shrink returns the factor of the parameters for decoupled weight decay.
func shrink(rate, decay float64) float32 { return float32(1 - float64(rate*decay)) }

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
