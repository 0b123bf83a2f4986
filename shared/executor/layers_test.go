package executor_test

import (
	"math"

	"tributary/shared/model"
	"tributary/shared/numeric"
)

// lookup is an embedding: row k of its table [rows, units] for the integer k. An integer
// that is not in the table gives NaN.
type lookup struct {
	shape model.Shape
	table model.Tensor
}

func newLookup(r *model.Registry, rows int, shape model.Shape) *lookup {
	return &lookup{shape, r.Add("embedding.weight", model.Weight, false, rows, shape.Units, rows, shape.Units)}
}

func (l *lookup) Output() model.Shape                { return l.shape }
func (*lookup) Keep() int                            { return 0 }
func (*lookup) Prepare(*model.Frame)                 {}
func (*lookup) Differentiate(*model.Frame, int, int) {}
func (*lookup) Backward(*model.Frame)                {}
func (l *lookup) Gradient() model.Gradient {
	return model.Gradient{Product: -1, Column: -1, Scale: -1, Scatter: l.table.Offset, Rows: l.table.Shape[0]}
}

func (l *lookup) Forward(f *model.Frame) {
	table, units := f.Weights.Of(l.table), l.shape.Units
	v := make([]float32, len(f.Integers[0])*units)
	for i, k := range f.Integers[0] {
		for j := range units {
			v[i*units+j] = float32(math.NaN())
			if k >= 0 && int(k) < l.table.Shape[0] {
				v[i*units+j] = table[int(k)*units+j]
			}
		}
	}
	f.Y.TransposeFrom(v)
}

// plus adds its inputs, as a residual connection does.
type plus struct{ shape model.Shape }

func (l plus) Output() model.Shape                { return l.shape }
func (plus) Keep() int                            { return 0 }
func (plus) Prepare(*model.Frame)                 {}
func (plus) Differentiate(*model.Frame, int, int) {}
func (plus) Gradient() model.Gradient             { return model.NoGradient }

func (l plus) Forward(f *model.Frame) {
	for i := range f.Y.Len() {
		y := f.Y.Panel(i, 0, l.shape.Units)
		copy(y, f.X[0].Panel(i, 0, l.shape.Units))
		for _, x := range f.X[1:] {
			numeric.Add(y, y, x.Panel(i, 0, l.shape.Units))
		}
	}
}

func (l plus) Backward(f *model.Frame) {
	for k, dx := range f.DX {
		if dx == nil {
			continue
		}
		for i := range dx.Len() {
			copy(dx.Panel(i, 0, l.shape.Units), f.D.Panel(i, 0, l.shape.Units))
		}
		f.Done.Receive(k, 0, l.shape.Units)
	}
}

// offset adds a trained vector [units] to each position: a gradient that is a column alone.
type offset struct {
	shape  model.Shape
	vector model.Tensor
}

func newOffset(r *model.Registry, shape model.Shape) *offset {
	return &offset{shape, r.Add("offset.bias", model.Bias, false, 1, 1, shape.Units)}
}

func (l *offset) Output() model.Shape                { return l.shape }
func (*offset) Keep() int                            { return 0 }
func (*offset) Differentiate(*model.Frame, int, int) {}
func (l *offset) Gradient() model.Gradient {
	return model.Gradient{Product: -1, Column: l.vector.Offset, Scale: -1, Scatter: -1}
}

func (l *offset) Prepare(f *model.Frame) {
	f.Ready.ResetLike(f.Y, l.shape.Units)
	f.Ready.Spread(f.Weights.Of(l.vector))
}

func (l *offset) Forward(f *model.Frame) {
	for i := range f.Y.Len() {
		numeric.Add(f.Y.Panel(i, 0, l.shape.Units), f.X[0].Panel(i, 0, l.shape.Units), f.Ready.Panel(0, 0, l.shape.Units))
	}
}

func (l *offset) Backward(f *model.Frame) { plus{l.shape}.Backward(f) }
