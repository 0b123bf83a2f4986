package model

import (
	"fmt"

	"gonum.org/v1/gonum/blas"
	"gonum.org/v1/gonum/blas/blas32"

	"tributary/shared/job"
	"tributary/shared/numeric"
	specified "tributary/shared/numeric/blas"
)

// dense is y = activation(z), z = W x + b.
type dense struct {
	in, out    int    // I, O
	weight     Tensor // W [O, I]
	bias       Tensor // b [O]; of length 0 without
	activation job.Activation
}

// newDense compiles the layer at path and declares its tensors, which name begins.
func newDense(r *registry, path, name string, d job.Dense, inputs int) (*dense, error) {
	if d.Units < 1 || d.Units > MaxUnits {
		return nil, fmt.Errorf("%s.units: %d: want 1 to %d: %w", path, d.Units, MaxUnits, job.ErrInvalid)
	}
	if inputs > job.MaxParams/d.Units {
		return nil, fmt.Errorf("%s.units: %d × %d weights: want at most %d: %w", path, d.Units, inputs, job.MaxParams, job.ErrInvalid)
	}
	a, err := compileActivation(path, d.Activation)
	if err != nil {
		return nil, err
	}
	l := &dense{in: inputs, out: d.Units, activation: a}
	l.weight = r.add(name+".weight", weight, d.Frozen(), l.in, l.out, l.out, l.in)
	if d.Bias == nil || *d.Bias {
		l.bias = r.add(name+".bias", bias, d.Frozen(), l.in, l.out, l.out)
	}
	return l, r.check(path)
}

func (l *dense) Output() Shape { return Shape{Positions: 1, Units: l.out} }
func (l *dense) Keeps() bool   { return l.activation == job.GELU }

// Gradient is dW = Σ dz ⊗ x and db = Σ dz.
func (l *dense) Gradient() Gradient {
	g := Gradient{Product: -1, Column: -1}
	if l.weight.Frozen {
		return g
	}
	if g.Product = l.weight.Offset; l.biased() {
		g.Column = l.bias.Offset
	}
	return g
}

func (l *dense) biased() bool { return l.bias.Len > 0 }

// weights is W [O, I].
func (l *dense) weights(w Weights) blas32.General {
	return blas32.General{Rows: l.out, Cols: l.in, Stride: l.in, Data: w.Of(l.weight)}
}

// Prepare makes a panel whose columns are b.
func (l *dense) Prepare(f *Frame) {
	if l.biased() {
		f.Ready.ResetLike(f.X, l.out)
		f.Ready.Spread(f.Weights.Of(l.bias))
	}
}

// Forward takes block after block of the units, which stays in the cache for its
// activation.
func (l *dense) Forward(f *Frame) {
	step := specified.RowsAtOnce(blas.NoTrans)
	for from := 0; from < l.out; from += step {
		to := min(from+step, l.out)
		specified.GemmPanels(f.Space, blas.NoTrans, from, to, l.weights(f.Weights), f.X, f.Y)
		for b := range f.Y.Len() {
			v := f.Y.Panel(b, from, to)
			if l.biased() {
				numeric.Add(v, v, f.Ready.Panel(0, from, to))
			}
			activate(l.activation, v, f.kept(b, from, to))
		}
	}
}

// Differentiate is the activation's derivative.
func (l *dense) Differentiate(f *Frame, from, to int) {
	if l.activation == job.NoActivation {
		return
	}
	for b := range f.D.Len() {
		activateBackward(l.activation, f.D.Panel(b, from, to), f.Y.Panel(b, from, to), f.kept(b, from, to))
	}
}

// Backward is Wᵀ dz.
func (l *dense) Backward(f *Frame) {
	step := specified.RowsAtOnce(blas.Trans)
	for from := 0; from < l.in; from += step {
		to := min(from+step, l.in)
		specified.GemmPanels(f.Space, blas.Trans, from, to, l.weights(f.Weights), f.D, f.DX)
		f.Done.Receive(from, to)
	}
}

// kept is rows from to to of panel b of what the layer keeps; nil when it keeps nothing.
func (f *Frame) kept(b, from, to int) []float32 {
	if f.Keep == nil {
		return nil
	}
	return f.Keep.Panel(b, from, to)
}
