package model

import "tributary/shared/numeric"

// maxSamples is the most samples of a batch, so that the index of a stream of random
// numbers tells steps and samples apart.
const maxSamples = 1 << 20

// dropout is the layer y = x ⊙ k in training, where each element of k is 0 with the
// probability rate, and 1/(1 − rate) otherwise (Srivastava et al., 2014, in the inverted
// form of PyTorch's Dropout). Otherwise it is y = x.
//
// k is a function of the seed, the step, the sample's place in the batch and the node. It
// does not depend on threads, micro-batches or workers.
type dropout struct {
	plain
	node uint32
	rate float64
}

func (l dropout) Keep() int { return l.shape.Units }

// Forward draws k and keeps it.
func (l dropout) Forward(f *Frame) {
	t := f.Training
	if t == nil || l.rate == 0 {
		for i := range f.Y.Len() {
			copy(l.panel(f.Y, i), l.panel(f.X[0], i))
		}
		return
	}
	width, units := f.Keep.Width(), l.shape.Units
	for sample := range f.Keep.Cols / l.shape.Positions {
		r := numeric.NewRand(t.Seed, numeric.ForDropout, uint64(t.Step)*maxSamples+uint64(t.Sample+sample), l.node)
		for p := range l.shape.Positions {
			column := sample*l.shape.Positions + p
			keep := f.Keep.Panel(column/width, 0, units)[column%width:]
			numeric.Dropout(keep, width, l.rate, r)
		}
	}
	for i := range f.Y.Len() {
		numeric.Multiply(l.panel(f.Y, i), l.panel(f.X[0], i), l.panel(f.Keep, i))
	}
}

// Backward computes dx = dy ⊙ k.
func (l dropout) Backward(f *Frame) {
	dx := f.DX[0]
	if dx == nil {
		return
	}
	for i := range dx.Len() {
		if l.rate == 0 {
			copy(l.panel(dx, i), l.panel(f.D, i))
		} else {
			numeric.Multiply(l.panel(dx, i), l.panel(f.D, i), l.panel(f.Keep, i))
		}
	}
	l.done(f, 0)
}
