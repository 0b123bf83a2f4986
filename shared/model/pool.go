package model

import "math"

// maxPool is the layer y = the greatest of a window's taps, for each unit by itself (PyTorch's
// nn.MaxPool2d). Of equal ones it is the first; a NaN counts as the greatest. An absent tap
// does not count.
type maxPool struct{ *window }

func (l maxPool) Output() Shape                  { return l.out }
func (l maxPool) Keep() int                      { return l.out.Units } // the tap
func (maxPool) Prepare(*Frame)                   {}
func (maxPool) Differentiate(_ *Frame, _, _ int) {}
func (maxPool) Gradient() Gradient               { return NoGradient }

// Forward takes the maximum, and keeps which tap has it.
func (l maxPool) Forward(f *Frame) {
	units, width := l.out.Units, f.Y.Width()
	v := f.scratch(units * width)
	l.each(f, f.Y, func(panel, tap int, columns []int32) {
		y, keep := f.Y.Panel(panel, 0, units), f.Keep.Panel(panel, 0, units)
		if tap == 0 {
			f.X[0].Gather(y, width, columns, float32(math.Inf(-1)))
			clear(keep)
			return
		}
		f.X[0].Gather(v, width, columns, float32(math.Inf(-1)))
		for r := range units {
			for j := range columns {
				if at := r*width + j; v[at] > y[at] || v[at] != v[at] && y[at] == y[at] {
					y[at], keep[at] = v[at], float32(tap)
				}
			}
		}
	})
}

// Backward adds the gradient to the tap with the maximum: for each position of the input from
// +0, in the order of the taps.
func (l maxPool) Backward(f *Frame) {
	dx := f.DX[0]
	if dx == nil {
		return
	}
	dx.Fill(0)
	units, width := l.out.Units, f.D.Width()
	f.Columns = grown(f.Columns, width)
	v := f.scratch(units * width)
	for tap := range l.taps {
		for i := range f.D.Len() {
			columns := f.Columns[:min(width, f.D.Cols-i*width)]
			l.sources(columns, tap, i*width)
			d, keep := f.D.Panel(i, 0, units), f.Keep.Panel(i, 0, units)
			for at := range v {
				if v[at] = 0; keep[at] == float32(tap) {
					v[at] = d[at]
				}
			}
			dx.AddColumns(columns, v, width)
		}
	}
	f.Done.Receive(0, 0, units)
}

// averagePool is the layer y = the sum of a window's taps, from +0 in their order, divided by
// the number of taps (PyTorch's nn.AvgPool2d). An absent tap counts as 0.
type averagePool struct{ *window }

func (l averagePool) Output() Shape                  { return l.out }
func (averagePool) Keep() int                        { return 0 }
func (averagePool) Prepare(*Frame)                   {}
func (averagePool) Differentiate(_ *Frame, _, _ int) {}
func (averagePool) Gradient() Gradient               { return NoGradient }

// Forward takes the mean.
func (l averagePool) Forward(f *Frame) {
	units, width := l.out.Units, f.Y.Width()
	v := f.scratch(units * width)
	l.each(f, f.Y, func(panel, tap int, columns []int32) {
		f.X[0].Gather(v, width, columns, 0)
		y := f.Y.Panel(panel, 0, units)
		for at := range y {
			if tap == 0 {
				y[at] = 0
			}
			if y[at] += v[at]; tap == l.taps-1 {
				y[at] /= float32(l.taps)
			}
		}
	})
}

// Backward adds the gradient, divided by the number of taps, to each tap.
func (l averagePool) Backward(f *Frame) {
	dx := f.DX[0]
	if dx == nil {
		return
	}
	dx.Fill(0)
	units, width := l.out.Units, f.D.Width()
	f.Columns = grown(f.Columns, width)
	v := f.scratch(units * width)
	for tap := range l.taps {
		for i := range f.D.Len() {
			columns := f.Columns[:min(width, f.D.Cols-i*width)]
			l.sources(columns, tap, i*width)
			for at, d := range f.D.Panel(i, 0, units) {
				v[at] = d / float32(l.taps)
			}
			dx.AddColumns(columns, v, width)
		}
	}
	f.Done.Receive(0, 0, units)
}
