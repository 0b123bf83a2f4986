package model

import (
	"fmt"

	"tributary/shared/job"
)

// addImageLayer adds one layer of a spec that is for images.
func addImageLayer(g *Graph, path, name string, l *job.Layer, value int) (int, error) {
	switch {
	case l.Reshape != nil:
		if len(l.Reshape) != 3 {
			return 0, fmt.Errorf("%s.reshape: %d numbers: want [height, width, channels]: %w", path, len(l.Reshape), job.ErrInvalid)
		}
		return AddReshape(g, path+".reshape", l.Reshape[0], l.Reshape[1], l.Reshape[2], value)
	case l.Conv2D != nil:
		return AddConvolution(g, path+".conv2d", name, l.Conv2D.Window(), *l.Conv2D.Dense(), value)
	case l.MaxPooling2D != nil:
		return AddPooling(g, path+".max_pooling2d", l.MaxPooling2D.Window(), true, value)
	case l.AveragePooling2D != nil:
		return AddPooling(g, path+".average_pooling2d", l.AveragePooling2D.Window(), false, value)
	case l.GlobalMaxPooling2D != nil:
		return AddGlobalPooling(g, path+".global_max_pooling2d", true, value)
	case l.GlobalAveragePooling2D != nil:
		return AddGlobalPooling(g, path+".global_average_pooling2d", false, value)
	default:
		return AddFlatten(g, value), nil
	}
}

// AddReshape appends a layer that makes images [height, width, channels] of the numbers of a
// sample, in the same order (Keras' Reshape).
func AddReshape(g *Graph, path string, height, width, channels, value int) (int, error) {
	in := g.Shape(value)
	for _, n := range []int{height, width, channels} {
		if n < 1 || n > MaxUnits {
			return 0, fmt.Errorf("%s: [%d, %d, %d]: want 1 to %d each: %w", path, height, width, channels, MaxUnits, job.ErrInvalid)
		}
	}
	if size := int64(height) * int64(width); size > MaxUnits || size*int64(channels) != int64(in.Size()) {
		return 0, fmt.Errorf("%s: [%d, %d, %d]: want a product of %d, the numbers of the input: %w", path, height, width, channels, in.Size(), job.ErrInvalid)
	}
	return g.Add(reshape{plain{Shape{Positions: height * width, Units: channels, Height: height}}, in}, value), nil
}

// AddConvolution appends a convolution: unfold, then a dense layer. The weights are
// [filters, window height, window width, channels]; each output is the chain over the taps in
// their order, and over the channels of each tap.
func AddConvolution(g *Graph, path, name string, w job.Window, d job.Dense, value int) (int, error) {
	v, err := newWindow(path, w, g.Shape(value))
	if err != nil {
		return 0, err
	}
	if v.in.Units > MaxUnits/v.taps {
		return 0, fmt.Errorf("%s: %d taps of %d channels: want at most %d numbers: %w", path, v.taps, v.in.Units, MaxUnits, job.ErrInvalid)
	}
	if !v.trivial() {
		value = g.Add(newUnfold(v), value)
	}
	r, first := g.Registry(), len(g.Registry().tensors)
	l, err := NewDense(r, path, name, d, g.Shape(value))
	if err != nil {
		return 0, err
	}
	weight := r.tensors[first]
	weight.Shape, weight.Taps = []int{d.Units, v.in.Units, w.Size[0], w.Size[1]}, v.taps
	return g.Add(l, value), nil
}

// AddPooling appends a layer that takes the greatest number of each window, or the mean.
func AddPooling(g *Graph, path string, w job.Window, greatest bool, value int) (int, error) {
	v, err := newWindow(path, w, g.Shape(value))
	if err != nil {
		return 0, err
	}
	return g.Add(v.pool(greatest), value), nil
}

// AddGlobalPooling appends a layer that takes the greatest number of each channel, or the mean.
func AddGlobalPooling(g *Graph, path string, greatest bool, value int) (int, error) {
	v, err := newWindow(path, wholeImage(g.Shape(value)), g.Shape(value))
	if err != nil {
		return 0, err
	}
	v.out.Height = 0
	return g.Add(v.pool(greatest), value), nil
}

func (v *window) pool(greatest bool) Layer {
	if greatest {
		return maxPool{plain{v.out}, v}
	}
	return averagePool{plain{v.out}, v}
}

// wholeImage is a window that covers an image.
func wholeImage(in Shape) (w job.Window) {
	if in.Height > 0 {
		w.Size = job.Pair{in.Height, in.Width()}
	}
	return w
}

// AddFlatten appends a layer that makes one position of an image, channel by channel (PyTorch's
// nn.Flatten).
func AddFlatten(g *Graph, value int) int {
	in := g.Shape(value)
	out := Shape{Positions: 1, Units: in.Size()}
	if in.Height == 0 || in.Units == 1 {
		return g.Add(reshape{plain{out}, in}, value)
	}
	return g.Add(flattened{plain{out}, in}, value)
}

// flattened is the layer y[c·P + p] = x[p, c].
type flattened struct {
	plain
	in Shape
}

// Forward copies each sample, transposed.
func (l flattened) Forward(f *Frame) {
	n := l.shape.Units
	v := f.scratch(2 * f.Y.Rows * f.Y.Cols)
	x, y := v[:len(v)/2], v[len(v)/2:]
	f.X[0].TransposeTo(x)
	for s := 0; s < len(x); s += n {
		transpose(y[s:s+n], x[s:s+n], l.in.Positions, l.in.Units)
	}
	f.Y.TransposeFrom(y)
}

// Backward copies the gradient back.
func (l flattened) Backward(f *Frame) {
	if f.DX[0] == nil {
		return
	}
	n := l.shape.Units
	v := f.scratch(2 * f.D.Rows * f.D.Cols)
	d, dx := v[:len(v)/2], v[len(v)/2:]
	f.D.TransposeTo(d)
	for s := 0; s < len(d); s += n {
		transpose(dx[s:s+n], d[s:s+n], l.in.Units, l.in.Positions)
	}
	f.DX[0].TransposeFrom(dx)
	f.Done.Receive(0, 0, l.in.Units)
}

// transpose sets dst [columns, rows] to the transpose of src [rows, columns].
func transpose(dst, src []float32, rows, columns int) {
	for r := range rows {
		for c, v := range src[r*columns : (r+1)*columns] {
			dst[c*rows+r] = v
		}
	}
}
