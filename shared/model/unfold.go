package model

import "tributary/shared/numeric"

// unfold is the layer that puts the taps of a window side by side: each position of the
// output has the units of all its taps, one tap after the other (PyTorch's nn.Unfold, with
// the taps outside and the channels inside). An absent tap is +0. A dense layer after it is a
// convolution.
type unfold struct{ *window }

// Output returns the units of all taps.
func (l unfold) Output() Shape {
	out := l.out
	out.Units *= l.taps
	return out
}

func (unfold) Keep() int                        { return 0 }
func (unfold) Prepare(*Frame)                   {}
func (unfold) Differentiate(_ *Frame, _, _ int) {}
func (unfold) Gradient() Gradient               { return NoGradient }

// Forward copies the taps.
func (l unfold) Forward(f *Frame) {
	units, width := l.in.Units, f.Y.Width()
	l.each(f, f.Y, func(panel, tap int, columns []int32) {
		f.X[0].Gather(f.Y.Panel(panel, tap*units, (tap+1)*units), width, columns, 0)
	})
}

// Backward adds up, for each position of the input, the gradients of the taps that have it:
// from +0, in the order of the positions of the output.
func (l unfold) Backward(f *Frame) {
	dx := f.DX[0]
	if dx == nil {
		return
	}
	dx.Fill(0)
	units, width := l.in.Units, dx.Width()
	v := f.scratch(units * width)
	f.Columns = grown(f.Columns, width)
	for i := range dx.Len() {
		columns, sum := f.Columns[:min(width, dx.Cols-i*width)], dx.Panel(i, 0, units)
		for tap := l.taps - 1; tap >= 0; tap-- { // an earlier position has a later tap
			l.targets(columns, tap, i*width)
			f.D.GatherRows(v, width, columns, tap*units, (tap+1)*units, 0)
			numeric.Add(sum, sum, v)
		}
	}
	f.Done.Receive(0, 0, units)
}
