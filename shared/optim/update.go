package optim

import (
	"sync"

	"tributary/shared/numeric"
)

// update folds the range [lo, hi) of the gradient, and then of the moving average.
func (f *Fold) update(s *stepOf, params []float32, state [][]float32, grad []float32, lo, hi int) {
	f.decayed(s, params, state, grad, lo, hi)
	if f.Averages() {
		numeric.Average(state[f.vectors()][lo:hi], params[lo:hi], s.rest)
	}
}

// decayed folds the range [lo, hi) of the gradient. It cuts the range where weight decay
// begins or ends.
func (f *Fold) decayed(s *stepOf, params []float32, state [][]float32, grad []float32, lo, hi int) {
	for _, r := range f.spared {
		if from := min(max(r.Lo, lo), hi); lo < from {
			f.clipped(&s.decayed, s.divisor, params, state, grad, lo, from)
			lo = from
		}
		if to := min(max(r.Hi, lo), hi); lo < to {
			f.clipped(&s.spared, s.divisor, params, state, grad, lo, to)
			lo = to
		}
	}
	if lo < hi {
		f.clipped(&s.decayed, s.divisor, params, state, grad, lo, hi)
	}
}

// buffer holds elements of a gradient that are cut off at a limit. They stay in the CPU's
// first cache until they are folded.
type buffer [1 << 12]float32

var buffers = sync.Pool{New: func() any { return new(buffer) }}

// clipped folds the range [lo, hi) of the gradient, with the penalties of its parameters, and
// then with its elements cut off at the limit if there is one.
func (f *Fold) clipped(c *constants, divisor float32, params []float32, state [][]float32, grad []float32, lo, hi int) {
	if f.value == 0 && len(f.penalties) == 0 {
		f.fold(c, params, state, lo, hi, grad[lo:hi], divisor)
		return
	}
	b := buffers.Get().(*buffer)
	for ; lo < hi; lo += len(b) {
		to := min(lo+len(b), hi)
		g, from, by := b[:to-lo], grad[lo:to], divisor
		if len(f.penalties) > 0 {
			numeric.Divide(g, from, by)
			f.penalize(g, params, lo)
			from, by = g, 1
		}
		if f.value != 0 {
			numeric.ClipValue(g, from, by, f.value)
		}
		f.fold(c, params, state, lo, to, g, 1)
	}
	buffers.Put(b)
}

// fold folds grad/divisor [hi−lo] into the range [lo, hi) of params and state.
func (f *Fold) fold(c *constants, params []float32, state [][]float32, lo, hi int, grad []float32, divisor float32) {
	p := params[lo:hi]
	switch o := &f.optimizer; {
	case o.SGD != nil && o.SGD.Momentum == 0:
		c.descent.Update(p, nil, grad, divisor)
	case o.SGD != nil:
		c.descent.Update(p, state[0][lo:hi], grad, divisor)
	case o.RMSprop != nil:
		var m, a []float32
		n := 1
		if o.RMSprop.Momentum != 0 {
			m = state[n][lo:hi]
			n++
		}
		if o.RMSprop.Centered {
			a = state[n][lo:hi]
		}
		c.rmsprop.Update(p, state[0][lo:hi], m, a, grad, divisor)
	case o.Adagrad != nil:
		c.adagrad.Update(p, state[0][lo:hi], grad, divisor)
	case o.Lion != nil:
		c.lion.Update(p, state[0][lo:hi], grad, divisor)
	default:
		c.moments.Update(p, state[0][lo:hi], state[1][lo:hi], grad, divisor)
	}
}
