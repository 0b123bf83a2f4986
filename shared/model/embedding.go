package model

import (
	"fmt"

	"tributary/shared/job"
)

// embedding is the layer y = W[k], for one integer k per position (PyTorch's nn.Embedding;
// Bengio et al., "A neural probabilistic language model", 2003). W is [Rows, Units]. An
// integer outside of the rows stands for nothing: y is +0, and W gets no gradient from it.
type embedding struct {
	shape Shape
	table Tensor
}

// NewEmbedding declares the table of an embedding for the given number of positions.
func newEmbedding(r *Registry, path, name string, positions, rows, units int) (*embedding, error) {
	table := r.Add(name+".weight", Weight, false, rows, units, rows, units)
	return &embedding{Shape{Positions: positions, Units: units}, table}, r.check(path)
}

func (l *embedding) Output() Shape                  { return l.shape }
func (*embedding) Keep() int                        { return 0 }
func (*embedding) Prepare(*Frame)                   {}
func (*embedding) Differentiate(_ *Frame, _, _ int) {}
func (*embedding) Backward(*Frame)                  {} // integers have no gradient
func (l *embedding) Gradient() Gradient {
	return Gradient{Product: -1, Column: -1, Scale: -1, Scatter: l.table.Offset, Rows: l.table.Shape[0]}
}

// Forward looks up the rows.
func (l *embedding) Forward(f *Frame) {
	table, units := f.Weights.Of(l.table), l.shape.Units
	v := f.scratch(len(f.Integers[0]) * units)
	for i, k := range f.Integers[0] {
		y := v[i*units : (i+1)*units]
		if k < 0 || int(k) >= l.table.Shape[0] {
			clear(y)
			continue
		}
		copy(y, table[int(k)*units:])
	}
	f.Y.TransposeFrom(v)
}

// reshape is the layer that gives the numbers of a sample another shape, in the same order.
type reshape struct {
	plain
	in Shape
}

// Forward copies the numbers.
func (l reshape) Forward(f *Frame) {
	v := f.scratch(f.Y.Rows * f.Y.Cols)
	f.X[0].TransposeTo(v)
	f.Y.TransposeFrom(v)
}

// Backward copies the gradient.
func (l reshape) Backward(f *Frame) {
	if f.DX[0] == nil {
		return
	}
	v := f.scratch(f.D.Rows * f.D.Cols)
	f.D.TransposeTo(v)
	f.DX[0].TransposeFrom(v)
	f.Done.Receive(0, 0, l.in.Units)
}

// concat is the layer that puts the units of its inputs one after the other (PyTorch's cat).
type concat struct {
	in    []Shape
	shape Shape
}

func newConcat(in ...Shape) concat {
	l := concat{in, Shape{Positions: in[0].Positions}}
	for _, s := range in {
		l.shape.Units += s.Units
	}
	return l
}

func (l concat) Output() Shape                  { return l.shape }
func (concat) Keep() int                        { return 0 }
func (concat) Prepare(*Frame)                   {}
func (concat) Differentiate(_ *Frame, _, _ int) {}
func (concat) Gradient() Gradient               { return NoGradient }

// Forward copies the units.
func (l concat) Forward(f *Frame) {
	at := 0
	for k, s := range l.in {
		for i := range f.Y.Len() {
			copy(f.Y.Panel(i, at, at+s.Units), f.X[k].Panel(i, 0, s.Units))
		}
		at += s.Units
	}
}

// Backward copies the gradient.
func (l concat) Backward(f *Frame) {
	at := 0
	for k, s := range l.in {
		if dx := f.DX[k]; dx != nil {
			for i := range dx.Len() {
				copy(dx.Panel(i, 0, s.Units), f.D.Panel(i, at, at+s.Units))
			}
			f.Done.Receive(k, 0, s.Units)
		}
		at += s.Units
	}
}

// Embedded returns the inputs of a network for rows of a table with numbers feature columns,
// followed by the numbers of the categories of other columns. These are embedded in vectors
// of the given units, which are rows of one table; categories is the number of its rows.
func Embedded(numbers, columns, categories, units int) []Input {
	var inputs []Input
	if numbers > 0 {
		inputs = append(inputs, Table(numbers))
	}
	if columns > 0 {
		inputs = append(inputs, Input{Name: "categories", Shape: Shape{Positions: columns, Units: 1}, Integers: true, Rows: categories, Units: units})
	}
	return inputs
}

// front adds what turns the inputs of a network into the numbers that its layers read.
func front(g *Graph, inputs []Input) (int, error) {
	var values []int
	var shapes []Shape
	for i, in := range inputs {
		v := i
		if in.Integers {
			if in.Units < 1 || in.Rows < 1 {
				return 0, fmt.Errorf("model: input %q has integers: a dense layer wants numbers: %w", in.Name, job.ErrInvalid)
			}
			e, err := newEmbedding(g.Registry(), "data.transform.categorical.embed", "embedding", in.Shape.Size(), in.Rows, in.Units)
			if err != nil {
				return 0, err
			}
			v = g.Add(reshape{plain{Shape{Positions: 1, Units: e.shape.Size()}}, e.shape}, g.Add(e, v))
		}
		values, shapes = append(values, v), append(shapes, g.Shape(v))
	}
	if len(values) == 1 {
		return values[0], nil
	}
	return g.Add(newConcat(shapes...), values...), nil
}
