package model

import (
	"fmt"

	"tributary/shared/job"
	"tributary/shared/numeric"
)

// normalize scales each group of units of a position: to mean 0 and variance 1 with centre (layer
// normalisation), else to mean square 1 (RMS normalisation). [numeric.Normalize] has the
// arithmetic. It has no parameters; affine follows it.
type normalize struct {
	plain
	groups  int // of as many units each
	epsilon float64
	centre  bool
}

// Keep returns the number of groups: each has a factor for each position.
func (l normalize) Keep() int { return l.groups }

// each calls visit for each group of a position, with its number and its units.
func (l normalize) each(visit func(group, from, to int)) {
	units := l.shape.Units / l.groups
	for g := range l.groups {
		visit(g, g*units, (g+1)*units)
	}
}

// Forward computes the statistics of each position, and scales it.
func (l normalize) Forward(f *Frame) {
	for i := range f.Y.Len() {
		l.each(func(g, from, to int) {
			numeric.Normalize(f.Y.Panel(i, from, to), f.Keep.Panel(i, g, g+1), f.X[0].Panel(i, from, to), l.epsilon, l.centre)
		})
	}
}

// Backward computes dx from dy, y and the factors.
func (l normalize) Backward(f *Frame) {
	dx := f.DX[0]
	if dx == nil {
		return
	}
	for i := range dx.Len() {
		l.each(func(g, from, to int) {
			numeric.NormalizeBackward(dx.Panel(i, from, to), f.D.Panel(i, from, to), f.Y.Panel(i, from, to), f.Keep.Panel(i, g, g+1), l.centre)
		})
	}
	l.done(f, 0)
}

// affine is the layer y = γ ⊙ x + β; without β for RMS normalisation.
type affine struct {
	plain
	scale, offset Tensor // γ, β [U]; the offset may be empty
}

// addNorm appends a normalisation to the graph: normalize, then affine. The names of its
// tensors are those of PyTorch's LayerNorm, GroupNorm and RMSNorm. It fails with
// job.ErrInvalid.
func addNorm(g *Graph, path, name string, n *job.Norm, groups int, centre bool, value int) (int, error) {
	if e := n.Epsilon; !(e >= 1e-30 && e <= 1) {
		return 0, fmt.Errorf("%s.epsilon: %v: want 1e-30 to 1: %w", path, e, job.ErrInvalid)
	}
	p := plain{g.Shape(value)}
	if groups < 1 || p.shape.Units%groups != 0 {
		return 0, fmt.Errorf("%s.groups: %d: want a divisor of the %d units: %w", path, groups, p.shape.Units, job.ErrInvalid)
	}
	if groups > 1 && p.shape.Positions > 1 {
		return 0, fmt.Errorf("%s: samples of %d positions: want 1 (a group would have all of them): %w", path, p.shape.Positions, job.ErrInvalid)
	}
	l := newAffine(g, p, name, n.Frozen(), centre)
	return g.Add(l, g.Add(normalize{p, groups, n.Epsilon, centre}, value)), g.Registry().check(path)
}

// newAffine declares the tensors of an affine layer.
func newAffine(g *Graph, p plain, name string, frozen, offset bool) *affine {
	l := &affine{plain: p, scale: g.Registry().AddConstant(name+".weight", frozen, 1, p.shape.Units)}
	if offset {
		l.offset = g.Registry().AddConstant(name+".bias", frozen, 0, p.shape.Units)
	}
	return l
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
