package model

import (
	"fmt"

	"tributary/shared/job"
	"tributary/shared/numeric"
)

// compileActivation checks the activation of the layer at path. An empty activation means
// none.
func compileActivation(path string, a job.Activation) (job.Activation, error) {
	switch a {
	case "", job.NoActivation:
		return job.NoActivation, nil
	case job.ReLU, job.Tanh, job.Sigmoid, job.GELU:
		return a, nil
	default:
		return "", fmt.Errorf("%s.activation: %.40q: want none, relu, tanh, sigmoid or gelu: %w", path, string(a), job.ErrInvalid)
	}
}

// activate turns y [B, O] from z into activation(z). It copies z to keep [B, O] for GELU
// only, whose derivative is a function of z.
func activate(a job.Activation, y, keep []float32) {
	switch a {
	case job.ReLU:
		numeric.ReLU(y)
	case job.Tanh:
		numeric.Tanh(y)
	case job.Sigmoid:
		numeric.Sigmoid(y)
	case job.GELU:
		copy(keep, y)
		numeric.GELU(y, keep)
	default: // none
	}
}

// activateBackward turns d [B, O] from dy into dz. y and keep are what activate wrote.
func activateBackward(a job.Activation, d, y, keep []float32) {
	switch a {
	case job.ReLU:
		numeric.ReLUBackward(d, y)
	case job.Tanh:
		numeric.TanhBackward(d, y)
	case job.Sigmoid:
		numeric.SigmoidBackward(d, y)
	case job.GELU:
		numeric.GELUBackward(d, keep)
	default: // none
	}
}

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
