package model

import (
	"tributary/shared/numeric"
	"tributary/shared/numeric/blas"
)

// maxPool is the layer y = the greatest of a window's taps, for each unit by itself (PyTorch's
// nn.MaxPool2d). Of equal ones it is the first; a NaN counts as the greatest. An absent tap
// does not count; without any other, y is 0.
type maxPool struct {
	plain
	*window
}

// Keep keeps the tap of each output.
func (l maxPool) Keep() int { return l.out.Units }

// places sets f.Columns to where the taps of the columns of panel i are in x: [lanes, taps].
// It returns x's data.
func (l maxPool) places(f *Frame, x, y *blas.Panels, i int) (data []float32, places []int32) {
	width := y.Width()
	lanes := min(width, y.Cols-i*width)
	f.Columns = grown(f.Columns, lanes*(l.taps+1))
	places, columns := f.Columns[:lanes*l.taps], f.Columns[lanes*l.taps:]
	for tap := range l.taps {
		l.sources(columns, tap, i*width)
		data = x.Columns(columns, columns)
		for j, place := range columns {
			places[j*l.taps+tap] = place
		}
	}
	return data, places
}

// Forward takes the maximum, and keeps which tap has it.
func (l maxPool) Forward(f *Frame) {
	x, units, width := f.X[0], l.out.Units, f.Y.Width()
	for i := range f.Y.Len() {
		data, places := l.places(f, x, f.Y, i)
		y, keep := f.Y.Panel(i, 0, units), f.Keep.Panel(i, 0, units)
		for r := range units {
			row := r * x.Width()
			for j := 0; j*l.taps < len(places); j++ {
				y[r*width+j], keep[r*width+j] = greatest(data, row, places[j*l.taps:(j+1)*l.taps])
			}
		}
	}
}

// greatest returns the greatest element at the places, and which place it is; 0 and −1 if all
// are absent.
func greatest(data []float32, row int, places []int32) (most float32, tap float32) {
	found := -1
	for t, place := range places {
		if place < 0 {
			continue
		}
		if v := data[int(place)+row]; found < 0 || v > most || v != v && most == most { //nolint:gocritic // NaN
			most, found = v, t
		}
	}
	return most, float32(found)
}

// Backward adds the gradient to the tap with the maximum: for each position of the input from
// +0, in the order of the positions of the output.
func (l maxPool) Backward(f *Frame) {
	dx := f.DX[0]
	if dx == nil {
		return
	}
	dx.Fill(0)
	units, width := l.out.Units, f.D.Width()
	for i := range f.D.Len() {
		data, places := l.places(f, dx, f.D, i)
		d, keep := f.D.Panel(i, 0, units), f.Keep.Panel(i, 0, units)
		for r := range units {
			row := r * dx.Width()
			for j := 0; j*l.taps < len(places); j++ {
				at := r*width + j
				if tap := int(keep[at]); tap >= 0 {
					data[int(places[j*l.taps+tap])+row] += d[at]
				}
			}
		}
	}
	f.Done.Receive(0, 0, units)
}

// averagePool is the layer y = the sum of a window's taps, from +0 in their order, divided by
// the number of taps (PyTorch's nn.AvgPool2d). An absent tap counts as 0.
type averagePool struct {
	plain
	*window
}

// Forward takes the mean.
func (l averagePool) Forward(f *Frame) {
	units, width := l.out.Units, f.Y.Width()
	v := f.scratch(units * width)
	l.each(f, f.Y, func(panel, tap int, columns []int32) {
		y := f.Y.Panel(panel, 0, units)
		if tap == 0 {
			clear(y)
		}
		f.X[0].Gather(v, width, columns, 0)
		if numeric.Add(y, y, v); tap == l.taps-1 {
			for at := range y {
				y[at] /= float32(l.taps)
			}
		}
	})
}

// Backward divides the gradient by the number of taps and adds it to each tap: for each
// position of the input from +0, in the order of the positions of the output.
func (l averagePool) Backward(f *Frame) {
	l.addUp(f, func(dst []float32, width, _ int, columns []int32) {
		f.D.Gather(dst, width, columns, 0)
		for at := range dst {
			dst[at] /= float32(l.taps)
		}
	})
}
