package model

import (
	"fmt"

	"tributary/shared/job"
	"tributary/shared/numeric"
)

// normalize scales each position: to mean 0 and variance 1 with centre (layer
// normalisation), else to mean square 1 (RMS normalisation). [numeric.Normalize] has the
// arithmetic. It has no parameters; affine follows it.
type normalize struct {
	plain
	epsilon float64
	centre  bool
}

// Keep returns 1: the factor of each position.
func (normalize) Keep() int { return 1 }

// Forward computes the statistics of each position, and scales it.
func (l normalize) Forward(f *Frame) {
	for i := range f.Y.Len() {
		numeric.Normalize(l.panel(f.Y, i), f.Keep.Panel(i, 0, 1), l.panel(f.X[0], i), l.epsilon, l.centre)
	}
}

// Backward computes dx from dy, y and the factors.
func (l normalize) Backward(f *Frame) {
	dx := f.DX[0]
	if dx == nil {
		return
	}
	for i := range dx.Len() {
		numeric.NormalizeBackward(l.panel(dx, i), l.panel(f.D, i), l.panel(f.Y, i), f.Keep.Panel(i, 0, 1), l.centre)
	}
	l.done(f, 0)
}

// affine is the layer y = γ ⊙ x + β; without β for RMS normalisation.
type affine struct {
	plain
	scale, offset Tensor // γ, β [U]; the offset may be empty
}

// addNorm appends a normalisation to the graph: normalize, then affine. The names of its
// tensors are those of PyTorch's LayerNorm and RMSNorm. It fails with job.ErrInvalid.
func addNorm(g *Graph, path, name string, n *job.Norm, centre bool, value int) (int, error) {
	if e := n.Epsilon; !(e >= 1e-30 && e <= 1) {
		return 0, fmt.Errorf("%s.epsilon: %v: want 1e-30 to 1: %w", path, e, job.ErrInvalid)
	}
	p := plain{g.Shape(value)}
	l := &affine{plain: p, scale: g.Registry().AddConstant(name+".weight", n.Frozen(), 1, p.shape.Units)}
	if centre {
		l.offset = g.Registry().AddConstant(name+".bias", n.Frozen(), 0, p.shape.Units)
	}
	return g.Add(l, g.Add(normalize{p, n.Epsilon, centre}, value)), g.Registry().check(path)
}

// Gradient returns the sums dγ = Σ dy ⊙ x and dβ = Σ dy.
func (l *affine) Gradient() Gradient {
	g := NoGradient
	if l.scale.Frozen {
		return g
	}
	g.Scale = l.scale.Offset
	if l.offset.Len > 0 {
		g.Column = l.offset.Offset
	}
	return g
}

// Prepare makes a panel whose rows are γ and then β, each in every column.
func (l *affine) Prepare(f *Frame) {
	both := l.scale // β follows γ in the vector
	both.Len += l.offset.Len
	f.Ready.ResetLike(f.Y, both.Len)
	f.Ready.Spread(f.Weights.Of(both))
}

// Forward scales, then adds the offset.
func (l *affine) Forward(f *Frame) {
	units := l.shape.Units
	for i := range f.Y.Len() {
		y := l.panel(f.Y, i)
		numeric.Multiply(y, l.panel(f.X[0], i), f.Ready.Panel(0, 0, units))
		if l.offset.Len > 0 {
			numeric.Add(y, y, f.Ready.Panel(0, units, 2*units))
		}
	}
}

// Backward computes dx = γ ⊙ dy.
func (l *affine) Backward(f *Frame) {
	dx := f.DX[0]
	if dx == nil {
		return
	}
	for i := range dx.Len() {
		numeric.Multiply(l.panel(dx, i), l.panel(f.D, i), f.Ready.Panel(0, 0, l.shape.Units))
	}
	l.done(f, 0)
}
