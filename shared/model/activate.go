package model

import "tributary/shared/job"

// activated is an activation as a layer of its own: y = activation(x).
type activated struct {
	plain
	activation job.Activation
}

// Keep returns U for GELU, whose derivative is a function of x.
func (l activated) Keep() int {
	if l.activation == job.GELU {
		return l.shape.Units
	}
	return 0
}

// Forward applies the function.
func (l activated) Forward(f *Frame) {
	for i := range f.Y.Len() {
		y := l.panel(f.Y, i)
		copy(y, l.panel(f.X[0], i))
		activate(l.activation, y, f.kept(i, 0, l.Keep()))
	}
}

// Differentiate multiplies by the derivative of the function.
func (l activated) Differentiate(f *Frame, from, to int) {
	for i := range f.D.Len() {
		activateBackward(l.activation, f.D.Panel(i, from, to), f.Y.Panel(i, from, to), f.kept(i, from, to))
	}
}

// Backward copies the gradient.
func (l activated) Backward(f *Frame) {
	if f.DX[0] == nil {
		return
	}
	for i := range f.DX[0].Len() {
		copy(l.panel(f.DX[0], i), l.panel(f.D, i))
	}
	l.done(f, 0)
}
