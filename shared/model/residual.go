package model

import "tributary/shared/numeric"

// sum is the layer y = x₀ + x₁: the end of a residual block (He et al., "Deep residual
// learning for image recognition", 2016, equation 1). x₀ is the input of the block.
type sum struct{ plain }

// Forward adds the inputs.
func (l sum) Forward(f *Frame) {
	for i := range f.Y.Len() {
		numeric.Add(l.panel(f.Y, i), l.panel(f.X[0], i), l.panel(f.X[1], i))
	}
}

// Backward copies the gradient to both inputs.
func (l sum) Backward(f *Frame) {
	for k, dx := range f.DX {
		if dx == nil {
			continue
		}
		for i := range dx.Len() {
			copy(l.panel(dx, i), l.panel(f.D, i))
		}
		l.done(f, k)
	}
}
