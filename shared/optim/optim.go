// Package optim turns a root gradient into new parameters, with the semantics
// of torch.optim: stochastic gradient descent, Adam and AdamW.
//
// It owns the optimizers' settings and the constants of a step. The loops over
// floats are package numeric's; where gradients come from is package
// gradient's affair. Replicas and the one-process reference call it.
//
// Invariant: parameters and state after a step are a function of those before,
// the step's number and its gradient; element by element, but for the one factor
// by which a whole gradient is clipped.
package optim

import (
	"tributary/shared/job"
	"tributary/shared/numeric"
)

// Fold is a compiled optimizer: immutable, safe for concurrent use.
type Fold struct {
	sgd   *numeric.Descent
	adam  *job.Adam
	decay decay
	limit float64 // of the gradient's norm; 0: none
}

// decay is how Adam's weight decay enters.
type decay int

const (
	l2        decay = iota // torch.optim.Adam: a term of the gradient
	decoupled              // torch.optim.AdamW (Loshchilov & Hutter, 2019)
)

// New compiles an optimizer whose defaults are filled in. It fails with job.ErrInvalid
// when [job.Optimizer.Validate] does.
func New(o job.Optimizer) (*Fold, error) {
	if err := o.Validate(); err != nil {
		return nil, err
	}
	switch {
	case o.SGD != nil:
		return &Fold{limit: o.SGD.ClipNorm, sgd: &numeric.Descent{
			Rate: float32(o.SGD.LearningRate), Momentum: float32(o.SGD.Momentum),
			Decay: float32(o.SGD.WeightDecay), Nesterov: o.SGD.Nesterov,
		}}, nil
	case o.Adam != nil:
		a := *o.Adam
		return &Fold{adam: &a, decay: l2, limit: a.ClipNorm}, nil
	default:
		a := *o.AdamW
		return &Fold{adam: &a, decay: decoupled, limit: a.ClipNorm}, nil
	}
}

// Vectors is the number of state vectors, each as long as the parameters and
// zero before the first step: Adam's two moments, momentum's one buffer.
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

// Apply folds the gradient grad/divisor, all of it, into params and state in
// place. step is the number of steps folded before, 0 at first. Unless gradients
// are clipped it is elementwise: any ranges of the vectors may be folded apart and
// give the same bits. It panics when a vector is shorter than grad or state has
// fewer than Vectors.
func (f *Fold) Apply(params []float32, state [][]float32, step int64, grad []float32, divisor float32) {
	c := f.constants(step, grad, divisor)
	c.update(params, state, grad, divisor, 0, len(grad))
}

// constants are those of one step: of Adam or, where it is none, of descent.
type constants struct {
	adam  bool
	sgd   numeric.Descent
	moves numeric.Moments
}

// constants returns those of the step after step steps, whose gradient is all of
// grad/divisor.
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
	c.sgd.Clip = clip
	return c
}

// update folds the range [lo, hi).
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
