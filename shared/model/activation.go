package model

import (
	"fmt"
	"strings"

	"tributary/shared/job"
	"tributary/shared/numeric"
)

// function is an activation: forward turns y [B, O] from z into f(z), and backward turns d
// [B, O] from dy into dz. With input, the derivative is a function of z: forward gets a copy
// of z, and backward that copy. Without, backward gets y.
type function struct {
	input    bool
	forward  func(y, z []float32)
	backward func(d, from []float32)
}

// inPlace returns the function of an activation whose derivative is a function of its
// outputs.
func inPlace(forward func(y []float32), backward func(d, y []float32)) function {
	return function{false, func(y, _ []float32) { forward(y) }, backward}
}

// functions holds the activations.
var functions = map[job.Activation]function{
	job.ReLU:        inPlace(numeric.ReLU, numeric.ReLUBackward),
	job.Tanh:        inPlace(numeric.Tanh, numeric.TanhBackward),
	job.Sigmoid:     inPlace(numeric.Sigmoid, numeric.SigmoidBackward),
	job.LeakyReLU:   inPlace(numeric.LeakyReLU, numeric.LeakyReLUBackward),
	job.ReLU6:       inPlace(numeric.ReLU6, numeric.ReLU6Backward),
	job.GELU:        {true, numeric.GELU, numeric.GELUBackward},
	job.GELUTanh:    {true, numeric.GELUTanh, numeric.GELUTanhBackward},
	job.SiLU:        {true, numeric.SiLU, numeric.SiLUBackward},
	job.Mish:        {true, numeric.Mish, numeric.MishBackward},
	job.Softplus:    {true, func(y, _ []float32) { numeric.Softplus(y) }, numeric.SoftplusBackward},
	job.ELU:         {true, numeric.ELU, numeric.ELUBackward},
	job.SELU:        {true, numeric.SELU, numeric.SELUBackward},
	job.Softsign:    {true, numeric.Softsign, numeric.SoftsignBackward},
	job.HardSigmoid: {true, numeric.HardSigmoid, numeric.HardSigmoidBackward},
	job.HardSwish:   {true, numeric.HardSwish, numeric.HardSwishBackward},
}

// activation is a compiled activation; the zero value is none.
type activation struct{ function }

// compileActivation checks the activation of the layer at path. An empty activation means
// none.
func compileActivation(path string, a job.Activation) (activation, error) {
	if a == "" || a == job.NoActivation {
		return activation{}, nil
	}
	f, ok := functions[a]
	if !ok {
		return activation{}, fmt.Errorf("%s.activation: %.40q: want one of %s: %w", path, string(a), strings.Join(a.Allowed(), ", "), job.ErrInvalid)
	}
	return activation{f}, nil
}

// none reports whether the activation changes nothing.
func (a activation) none() bool { return a.forward == nil }

// keep returns how many of the given units a layer keeps: all if the derivative is a
// function of z.
func (a activation) keep(units int) int {
	if a.input {
		return units
	}
	return 0
}

// activate turns y [B, O] from z into activation(z). If the derivative is a function of z,
// it copies z to keep [B, O].
func (a activation) activate(y, keep []float32) {
	if a.none() {
		return
	}
	if a.input {
		copy(keep, y)
	}
	a.forward(y, keep)
}

// differentiate turns d [B, O] from dy into dz. y and keep are what activate wrote.
func (a activation) differentiate(d, y, keep []float32) {
	switch {
	case a.none():
	case a.input:
		a.backward(d, keep)
	default:
		a.backward(d, y)
	}
}

// activated is an activation as a layer of its own: y = activation(x).
type activated struct {
	plain
	activation activation
}

// Keep returns U if the derivative is a function of x.
func (l activated) Keep() int { return l.activation.keep(l.shape.Units) }

// Forward applies the function.
func (l activated) Forward(f *Frame) {
	for i := range f.Y.Len() {
		y := l.panel(f.Y, i)
		copy(y, l.panel(f.X[0], i))
		l.activation.activate(y, f.kept(i, 0, l.Keep()))
	}
}

// Differentiate multiplies by the derivative of the function.
func (l activated) Differentiate(f *Frame, from, to int) {
	for i := range f.D.Len() {
		l.activation.differentiate(f.D.Panel(i, from, to), f.Y.Panel(i, from, to), f.kept(i, from, to))
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
