package model

// unfold is the layer that puts the taps of a window side by side: each position of the
// output has the units of all its taps, one tap after the other (PyTorch's nn.Unfold, with
// the taps outside and the channels inside). An absent tap is +0. A dense layer after it is a
// convolution.
type unfold struct {
	plain
	*window
}

func newUnfold(v *window) unfold {
	out := v.out
	out.Units *= v.taps
	return unfold{plain{out}, v}
}

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
	l.addUp(f, func(dst []float32, width, tap int, columns []int32) {
		f.D.GatherRows(dst, width, columns, tap*l.in.Units, (tap+1)*l.in.Units, 0)
	})
}
