package model

import (
	"fmt"

	"gonum.org/v1/gonum/blas"
	"gonum.org/v1/gonum/blas/blas32"

	"tributary/shared/job"
	"tributary/shared/numeric"
	specified "tributary/shared/numeric/blas"
)

// dense is the layer y = activation(z), z = W x + b.
//
// It computes each position by itself, as PyTorch's Linear and Keras' Dense do.
type dense struct {
	output     Shape
	in, out    int    // I, O
	weight     Tensor // W [O, I]
	bias       Tensor // b [O]; length 0 without bias
	activation activation
}

// NewDense compiles a dense layer for inputs of the given shape and declares its tensors,
// whose names begin with name. path is the place of the layer in the spec. It fails with
// job.ErrInvalid.
func NewDense(r *Registry, path, name string, d job.Dense, input Shape) (Layer, error) {
	inputs := input.Units
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
	l := &dense{output: input, in: inputs, out: d.Units, activation: a}
	l.output.Units = d.Units
	l.weight = r.Add(name+".weight", Weight, d.Frozen(), l.in, l.out, l.out, l.in)
	if d.Penalized() {
		r.penalize(*d.KernelRegularizer)
	}
	if d.Bias == nil || *d.Bias {
		l.bias = r.Add(name+".bias", Bias, d.Frozen(), l.in, l.out, l.out)
	}
	return l, r.check(path)
}

func (l *dense) Output() Shape { return l.output }

// Keep returns O if the derivative of the activation is a function of z.
func (l *dense) Keep() int { return l.activation.keep(l.out) }

// Gradient returns the sums dW = Σ dz ⊗ x and db = Σ dz.
func (l *dense) Gradient() Gradient {
	g := NoGradient
	if l.weight.Frozen {
		return g
	}
	if g.Product = l.weight.Offset; l.biased() {
		g.Column = l.bias.Offset
	}
	return g
}

func (l *dense) biased() bool { return l.bias.Len > 0 }

// weights returns W [O, I].
func (l *dense) weights(w Weights) blas32.General {
	return blas32.General{Rows: l.out, Cols: l.in, Stride: l.in, Data: w.Of(l.weight)}
}

// Prepare makes a panel in which every column is b.
func (l *dense) Prepare(f *Frame) {
	if l.biased() {
		f.Ready.ResetLike(f.Y, l.out)
		f.Ready.Spread(f.Weights.Of(l.bias))
	}
}

// Forward computes the units block by block. A block stays in the cache until its
// activation is computed.
func (l *dense) Forward(f *Frame) {
	step := specified.RowsAtOnce(blas.NoTrans)
	for from := 0; from < l.out; from += step {
		to := min(from+step, l.out)
		specified.GemmPanels(f.Space, blas.NoTrans, from, to, l.weights(f.Weights), f.X[0], f.Y)
		for b := range f.Y.Len() {
			v := f.Y.Panel(b, from, to)
			if l.biased() {
				numeric.Add(v, v, f.Ready.Panel(0, from, to))
			}
			l.activation.activate(v, f.kept(b, from, to))
		}
	}
}

// Differentiate multiplies by the derivative of the activation.
func (l *dense) Differentiate(f *Frame, from, to int) {
	if l.activation.none() {
		return
	}
	for b := range f.D.Len() {
		l.activation.differentiate(f.D.Panel(b, from, to), f.Y.Panel(b, from, to), f.kept(b, from, to))
	}
}

// Backward computes Wᵀ dz.
func (l *dense) Backward(f *Frame) {
	if f.DX[0] == nil {
		return
	}
	step := specified.RowsAtOnce(blas.Trans)
	for from := 0; from < l.in; from += step {
		to := min(from+step, l.in)
		specified.GemmPanels(f.Space, blas.Trans, from, to, l.weights(f.Weights), f.D, f.DX[0])
		f.Done.Receive(0, from, to)
	}
}

// kept returns rows from to to of panel b of what the layer keeps; nil if it keeps nothing.
func (f *Frame) kept(b, from, to int) []float32 {
	if f.Keep == nil {
		return nil
	}
	return f.Keep.Panel(b, from, to)
}
