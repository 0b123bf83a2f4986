// Package optim turns a root gradient into new parameters, with the semantics of
// torch.optim: stochastic gradient descent, Adam and AdamW.
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
	sgd   *numeric.Descent // without the rate and the clip factor
	rate  float64          // of sgd
	adam  *job.Adam
	decay decay
	limit float64 // of the gradient's norm; 0: no limit
	// rates is nil if the learning rate is constant.
	rates *schedule
}

// decay says how weight decay enters Adam.
type decay int

const (
	l2        decay = iota // torch.optim.Adam: a term of the gradient
	decoupled              // torch.optim.AdamW (Loshchilov & Hutter, 2019)
)

// New compiles an optimizer and the schedule of its learning rate, for a job of so many
// steps. Their defaults must be filled in. It fails with job.ErrInvalid when
// [job.Optimizer.Validate] fails.
func New(o job.Optimizer, s job.Schedule, steps int64) (*Fold, error) {
	f, err := compile(o)
	if err == nil && !s.Constant() {
		f.rates = &schedule{s, steps - s.WarmupSteps}
	}
	return f, err
}

// Rate returns the learning rate of the step after the given number of steps.
func (f *Fold) Rate(step int64) float64 {
	rate := 0.0
	if f.adam != nil {
		rate = f.adam.LearningRate
	} else {
		rate = f.rate
	}
	if f.rates == nil {
		return rate
	}
	return float64(rate * f.rates.factor(step))
}

// compile makes a fold with a constant learning rate.
func compile(o job.Optimizer) (*Fold, error) {
	if err := o.Validate(); err != nil {
		return nil, err
	}
	switch {
	case o.SGD != nil:
		return &Fold{limit: o.SGD.ClipNorm, rate: o.SGD.LearningRate, sgd: &numeric.Descent{
			Momentum: float32(o.SGD.Momentum),
			Decay:    float32(o.SGD.WeightDecay), Nesterov: o.SGD.Nesterov,
		}}, nil
	case o.Adam != nil:
		a := *o.Adam
		return &Fold{adam: &a, decay: l2, limit: a.ClipNorm}, nil
	default:
		a := *o.AdamW
		return &Fold{adam: &a, decay: decoupled, limit: a.ClipNorm}, nil
	}
}

// Vectors returns the number of state vectors: two moments for Adam, one buffer for
// momentum. Each is as long as the parameters, and zero before the first step.
func (f *Fold) Vectors() int {
	switch {
	case f.adam != nil:
		return 2
	case f.sgd.Momentum != 0:
		return 1
	default:
		return 0
	}
}

// Apply folds the whole gradient grad/divisor into params and state, in place. step is the
// number of steps folded before it, 0 at first. Without clipping, Apply is elementwise:
// ranges of the vectors may be folded separately and give the same bits. It panics if a
// vector is shorter than grad, or if state has fewer vectors than Vectors.
func (f *Fold) Apply(params []float32, state [][]float32, step int64, grad []float32, divisor float32) {
	c := f.constants(step, grad, divisor)
	c.update(params, state, grad, divisor, 0, len(grad))
}

// constants holds the constants of one step, of Adam or of gradient descent.
type constants struct {
	adam  bool
	sgd   numeric.Descent
	moves numeric.Moments
}

// constants returns the constants of the step after the given number of steps. The gradient
// of that step is all of grad/divisor.
func (f *Fold) constants(step int64, grad []float32, divisor float32) constants {
	clip := float32(1)
	if f.limit != 0 {
		clip = numeric.Clip(grad, divisor, f.limit)
	}
	if f.adam != nil {
		c := constants{adam: true, moves: f.moments(step)}
		c.moves.Clip = clip
		return c
	}
	c := constants{sgd: *f.sgd}
	c.sgd.Rate, c.sgd.Clip = float32(f.Rate(step)), clip
	return c
}

// update folds the range [lo, hi) of the gradient.
func (c *constants) update(params []float32, state [][]float32, grad []float32, divisor float32, lo, hi int) {
	switch {
	case c.adam:
		c.moves.Update(params[lo:hi], state[0][lo:hi], state[1][lo:hi], grad[lo:hi], divisor)
	case c.sgd.Momentum != 0:
		c.sgd.Update(params[lo:hi], state[0][lo:hi], grad[lo:hi], divisor)
	default:
		c.sgd.Update(params[lo:hi], nil, grad[lo:hi], divisor)
	}
}
