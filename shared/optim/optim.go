// Package optim turns a root gradient into new parameters, with the semantics of
// torch.optim: stochastic gradient descent, Adam, AdamW, RMSprop and Adagrad; and Lion,
// which is not in torch.optim.
//
// It owns the settings of the optimizers and the constants of a step. It does not own the
// loops over floats (package numeric) or the gradients (package gradient). Replicas and
// package serial call it.
//
// Invariant: parameters and state after a step are a function of those before it, of the
// number of the step and of its gradient. The function is elementwise, except for the one
// factor that clips a whole gradient.
package optim

import (
	"tributary/shared/job"
	"tributary/shared/numeric"
)

// Fold is a compiled optimizer. It is immutable and safe for concurrent use.
type Fold struct {
	optimizer job.Optimizer
	decay     float64   // of the weights
	norm      float64   // limit of the gradient's norm; 0: no limit
	value     float32   // limit of an element's magnitude; 0: no limit
	spared    []Range   // has no weight decay
	rates     *schedule // nil if the learning rate is constant
	reduced   int       // how often the learning rate was reduced on a plateau
	momentum  float64   // of the moving average of the parameters; 0: there is none
	penalties []Penalty // in rising order
}

// Range is a range of the parameters, from Lo up to and without Hi.
type Range struct{ Lo, Hi int }

// New compiles an optimizer. Its defaults must be filled in. biases are the ranges of the
// biases and norms among the parameters, in rising order; they matter only to an optimizer
// that leaves them out of weight decay. New fails with job.ErrInvalid when
// [job.Optimizer.Validate] fails.
func New(o job.Optimizer, biases ...Range) (*Fold, error) {
	if err := o.Validate(); err != nil {
		return nil, err
	}
	c := o.Common()
	f := &Fold{optimizer: o, decay: c.WeightDecay, norm: c.ClipNorm, value: float32(c.ClipValue), momentum: c.EMAMomentum}
	if c.SparesBias() {
		f.spared = biases
	}
	return f, nil
}

// With returns the fold with a schedule of the learning rate, for a job of so many steps. The
// defaults of the schedule must be filled in.
func (f *Fold) With(s job.Schedule, steps int64) *Fold {
	g := *f
	g.rates = nil
	if !s.Constant() {
		g.rates = &schedule{s, steps - s.WarmupSteps}
	}
	return &g
}

// Reduced returns the fold after the learning rate was reduced so many times on a plateau.
// The schedule must have reduce_on_plateau, unless times is 0.
func (f *Fold) Reduced(times int) *Fold {
	if f.reduced == times {
		return f
	}
	g := *f
	g.reduced = times
	return &g
}

// Rate returns the learning rate of the step after the given number of steps.
func (f *Fold) Rate(step int64) float64 {
	rate := f.base()
	if f.rates != nil {
		rate = float64(rate * f.rates.factor(step))
	}
	if a := f.optimizer.Adagrad; a != nil {
		rate /= 1 + float64(float64(step)*a.LRDecay)
	}
	return rate
}

// base returns the learning rate without the factor of the step.
func (f *Fold) base() float64 {
	rate := f.optimizer.LearningRate()
	if f.reduced > 0 {
		r := f.rates.ReduceOnPlateau
		rate = max(r.MinLearningRate, float64(rate*power(r.Factor, int64(f.reduced))))
	}
	return rate
}

// Averages reports whether the last state vector is the exponential moving average of the
// parameters. Evaluations and the model use it.
func (f *Fold) Averages() bool { return f.momentum != 0 }

// Vectors returns the number of state vectors: a sum or mean for Adagrad and Lion, two
// moments for Adam, one for RMSprop, one more each for its momentum and its centered form,
// one buffer for SGD's momentum, and last the moving average of the parameters. Each is as long as the parameters, and zero before the
// first step.
func (f *Fold) Vectors() int { return f.vectors() + count(f.Averages()) }

// vectors returns the number of state vectors without the moving average.
func (f *Fold) vectors() int {
	switch o := &f.optimizer; {
	case o.SGD != nil:
		return count(o.SGD.Momentum != 0)
	case o.RMSprop != nil:
		return 1 + count(o.RMSprop.Momentum != 0, o.RMSprop.Centered)
	case o.Adagrad != nil, o.Lion != nil:
		return 1
	default:
		return 2
	}
}

// count returns how many of the conditions are true.
func count(conditions ...bool) (n int) {
	for _, c := range conditions {
		if c {
			n++
		}
	}
	return n
}

// Apply folds the whole gradient grad/divisor into params and state, in place. step is the
// number of steps folded before it, 0 at first. If no norm is clipped and no bias is left
// out of weight decay, Apply is elementwise: ranges of the vectors may be folded separately
// and give the same bits. It panics if a vector is shorter than grad, or if state has fewer
// vectors than Vectors.
func (f *Fold) Apply(params []float32, state [][]float32, step int64, grad []float32, divisor float32) {
	s := f.step(step, grad, divisor)
	f.update(&s, params, state, grad, 0, len(grad))
}

// stepOf holds what all ranges of one step have in common.
type stepOf struct {
	divisor         float32
	decayed, spared constants // for parameters with and without weight decay
	rest            float32   // weight of the new parameters in their moving average
}

// step returns the step after the given number of steps, for the whole gradient
// grad/divisor.
func (f *Fold) step(step int64, grad []float32, divisor float32) stepOf {
	clip := float32(1)
	if f.norm != 0 {
		clip = numeric.Clip(grad, divisor, f.norm)
	}
	s := stepOf{divisor: divisor, decayed: f.constants(step, clip, f.decay), rest: float32(1 - f.momentum)}
	if step == 0 {
		s.rest = 1 // the average begins with the parameters after the first step
	}
	if len(f.spared) > 0 {
		s.spared = f.constants(step, clip, 0)
	}
	return s
}
