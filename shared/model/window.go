package model

import (
	"fmt"

	"tributary/shared/job"
	"tributary/shared/numeric"
	"tributary/shared/numeric/blas"
)

// window moves over an image. At each position of the output it covers taps: positions of the
// input, from left to right and from top to bottom. A tap outside of the image is absent.
type window struct {
	in, out Shape // out has the units of in
	taps    int   // of the window
	columns int   // of the window: taps are counted row by row
	stride  [2]int
	step    [2]int // from tap to tap
	before  [2]int // padding
}

// newWindow lays out a window over an image. path is the place of the layer in the spec.
func newWindow(path string, w job.Window, in Shape) (*window, error) {
	if in.Height == 0 {
		return nil, fmt.Errorf("%s: its input is no image: want one (reshape to [height, width, channels] before it): %w", path, job.ErrInvalid)
	}
	size, before := [2]int{in.Height, in.Width()}, [2]int{}
	var out [2]int
	for i, name := range []string{"height", "width"} {
		k, stride, dilation := w.Size[i], w.Strides.Or(i, 1), w.Dilation.Or(i, 1)
		if k < 1 || stride < 1 || dilation < 1 || k > job.MaxWindow || stride > job.MaxWindow || dilation > job.MaxWindow {
			return nil, fmt.Errorf("%s: a window of size %d, stride %d and dilation %d: want 1 to %d of each: %w", path, k, stride, dilation, job.MaxWindow, job.ErrInvalid)
		}
		span := (k-1)*dilation + 1
		var padded int
		switch {
		case w.Padding.Same:
			// As TensorFlow's: the output has ⌈size/stride⌉ positions, and the greater half of
			// an odd padding is at the end.
			total := max(0, (size[i]-1)/stride*stride+span-size[i])
			before[i], padded = total/2, size[i]+total
		default:
			before[i], padded = w.Padding.Each[i], size[i]+2*w.Padding.Each[i]
		}
		if before[i] < 0 || before[i] >= span {
			return nil, fmt.Errorf("%s.padding: %d: want at least 0 and less than the window: %w", path, before[i], job.ErrInvalid)
		}
		if padded < span {
			return nil, fmt.Errorf("%s: a window of %d is larger than the %s of the padded image, %d: %w", path, span, name, padded, job.ErrInvalid)
		}
		out[i] = (padded-span)/stride + 1
	}
	v := &window{in: in, taps: w.Size[0] * w.Size[1], columns: w.Size[1], before: before}
	for i := range out {
		v.stride[i], v.step[i] = w.Strides.Or(i, 1), w.Dilation.Or(i, 1)
	}
	v.out = Shape{Positions: out[0] * out[1], Units: in.Units, Height: out[0]}
	if int64(v.taps)*int64(v.out.Positions) > maxTaps {
		return nil, fmt.Errorf("%s: %d positions of %d taps: want at most %d taps in all: %w", path, v.out.Positions, v.taps, maxTaps, job.ErrInvalid)
	}
	return v, nil
}

// maxTaps bounds the work of a window for one channel of a sample.
const maxTaps = 1 << 24

// trivial reports whether each position of the output has one tap, which is the position of
// the input.
func (v *window) trivial() bool { return v.taps == 1 && v.in.Positions == v.out.Positions }

// sources sets dst to the columns of the input that a tap has for the columns of the output
// from lo on.
func (v *window) sources(dst []int32, tap, lo int) {
	height, width := v.in.Height, v.in.Width()
	rows, columns := v.out.Positions/v.width(), v.width()
	top, left := tap/v.columns*v.step[0]-v.before[0], tap%v.columns*v.step[1]-v.before[1]
	sample, at := lo/v.out.Positions, lo%v.out.Positions
	oy, ox := at/columns, at%columns
	first := sample * v.in.Positions
	for j := range dst {
		y, x := oy*v.stride[0]+top, ox*v.stride[1]+left
		if uint(y) < uint(height) && uint(x) < uint(width) {
			dst[j] = int32(first + y*width + x)
		} else {
			dst[j] = blas.Absent
		}
		if ox++; ox == columns {
			ox = 0
			if oy++; oy == rows {
				oy, first = 0, first+v.in.Positions
			}
		}
	}
}

// targets is the inverse of sources: it sets dst to the columns of the output whose tap has the
// columns of the input from lo on.
func (v *window) targets(dst []int32, tap, lo int) {
	width := v.in.Width()
	rows, columns := v.out.Positions/v.width(), v.width()
	top, left := v.before[0]-tap/v.columns*v.step[0], v.before[1]-tap%v.columns*v.step[1]
	sample, at := lo/v.in.Positions, lo%v.in.Positions
	iy, ix := at/width, at%width
	first := sample * v.out.Positions
	for j := range dst {
		y, x := iy+top, ix+left
		dst[j] = blas.Absent
		if y >= 0 && x >= 0 && y%v.stride[0] == 0 && x%v.stride[1] == 0 && y/v.stride[0] < rows && x/v.stride[1] < columns {
			dst[j] = int32(first + y/v.stride[0]*columns + x/v.stride[1])
		}
		if ix++; ix == width {
			ix = 0
			if iy++; iy == v.in.Height {
				iy, first = 0, first+v.out.Positions
			}
		}
	}
}

// width returns the width of the output.
func (v *window) width() int {
	if v.out.Height == 0 {
		return 1
	}
	return v.out.Width()
}

// each calls visit for each tap of each panel of y, whose columns are positions of the output.
// columns are those of the input.
func (v *window) each(f *Frame, y *blas.Panels, visit func(panel, tap int, columns []int32)) {
	width := y.Width()
	f.Columns = grown(f.Columns, width)
	for i := range y.Len() {
		columns := f.Columns[:min(width, y.Cols-i*width)]
		for tap := range v.taps {
			v.sources(columns, tap, i*width)
			visit(i, tap, columns)
		}
	}
}

// addUp sets the gradient of the input: for each position, a chain of additions from +0 of what
// gather makes of the taps that have it, in the order of the positions of the output. gather
// sets dst [units, width] for one tap, from the columns of the output.
func (v *window) addUp(f *Frame, gather func(dst []float32, width, tap int, columns []int32)) {
	dx := f.DX[0]
	if dx == nil {
		return
	}
	dx.Fill(0)
	units, width := v.in.Units, dx.Width()
	part := f.scratch(units * width)
	f.Columns = grown(f.Columns, width)
	for i := range dx.Len() {
		columns, sum := f.Columns[:min(width, dx.Cols-i*width)], dx.Panel(i, 0, units)
		for tap := v.taps - 1; tap >= 0; tap-- { // an earlier position has a later tap
			v.targets(columns, tap, i*width)
			gather(part, width, tap, columns)
			numeric.Add(sum, sum, part)
		}
	}
	f.Done.Receive(0, 0, units)
}

// grown returns a slice of n elements with undefined contents.
func grown(v []int32, n int) []int32 {
	if cap(v) < n {
		return make([]int32, n)
	}
	return v[:n]
}
