package model

import "tributary/shared/numeric/blas"

// Shape is the shape of a value for one sample: Positions rows of Units numbers. A row of a
// table has one position, a sequence has one per token, and an image has one per pixel.
type Shape struct {
	Positions, Units int
	Height           int // of an image: Positions is Height × Width; 0 for anything else
}

// Width returns the width of an image.
func (s Shape) Width() int { return s.Positions / s.Height }

// Size returns how many numbers the value has.
func (s Shape) Size() int { return s.Positions * s.Units }

// Layer computes a node's output from its inputs, for one chunk of samples at a time.
// It is immutable and safe for concurrent use.
type Layer interface {
	// Output returns the shape of the layer's output.
	Output() Shape
	// Keep returns how many numbers per position Forward keeps for Backward.
	Keep() int
	// Prepare derives from the parameters what Forward needs, and writes it to f.Ready. It
	// runs once for many chunks whose panels are as wide as those of f.Y.
	Prepare(f *Frame)
	// Forward computes f.Y from the inputs.
	Forward(f *Frame)
	// Differentiate turns units from to to of f.D from d loss / d Y into d loss / d Z. Z is
	// the quantity that the sums of Gradient are over. It reads only f.Y and f.Keep besides.
	Differentiate(f *Frame, from, to int)
	// Backward computes f.DX, d loss / d X, from f.D, d loss / d Z. It skips inputs whose
	// f.DX is nil. It reports complete units of the others to f.Done, in any order.
	Backward(f *Frame)
	// Gradient says how the gradients of the layer's parameters are computed as sums over
	// all positions.
	Gradient() Gradient
}

// Batchwise is a layer whose output for a sample depends, while the network is trained, on
// the other samples of its micro-batch. Then the executor calls the methods below in place of
// Forward and Backward, for some units and all N positions of a micro-batch: x, y and d are
// [N, C], each column one unit. A micro-batch is computed as a whole, never in slices.
type Batchwise interface {
	Layer
	// ForwardBatch turns x into y, in place. It writes kept [3, C]: what BackwardBatch needs,
	// and the sums of the two statistics over the micro-batch.
	ForwardBatch(x, kept []float32)
	// BackwardBatch turns d, d loss / d y, into d loss / d x, in place.
	BackwardBatch(d, y, kept []float32)
	// Running returns the tensors of the two statistics, [O] each.
	Running() [2]Tensor
	// Momentum is the share that the statistics of a new batch have in the running ones.
	Momentum() float64
}

// Kept is how many numbers per unit a Batchwise layer keeps for a micro-batch.
const Kept = 3

// Gradient names the sums over positions that give the gradients of a layer's parameters. x
// is the first input of the layer. Each field is the offset of a tensor among the trained
// parameters, or −1 if there is none. A layer with a scatter has no other sum.
type Gradient struct {
	// Product is the tensor whose gradient is Σ dz ⊗ x, [O, I]: a matrix of weights.
	Product int
	// Column is the tensor whose gradient is Σ dz, [O]: a bias.
	Column int
	// Scale is the tensor whose gradient is Σ dz ⊙ x, [O]: a factor of each unit. Then the
	// first input has O units.
	Scale int
	// Scatter is the tensor whose row k has the gradient Σ dz over the positions with x = k,
	// [Rows, O]: the vectors of an embedding. x is one integer per position. All other rows
	// have the gradient +0: the gradient is sparse.
	Scatter, Rows int
}

// NoGradient is the Gradient of a layer without trained parameters.
var NoGradient = Gradient{Product: -1, Column: -1, Scale: -1, Scatter: -1}

// None reports whether the layer has no trained parameters.
func (g Gradient) None() bool { return g.Product < 0 && g.Column < 0 && g.Scale < 0 && g.Scatter < 0 }

// Frame holds the data that a layer computes with: one chunk of samples in one thread. R is
// the number of samples of the chunk times the positions of the value; a matrix has one
// column for each position. I is the units of an input, and O those of the output.
type Frame struct {
	Weights  Weights        // of the network
	X        []*blas.Panels // per input: [I, R]; nil for an input of integers
	Integers [][]int32      // per input: [R, I]; nil for an input of floats
	Y        *blas.Panels   // [O, R]
	Keep     *blas.Panels   // [Keep(), R]; nil for a layer that does not keep
	Ready    *blas.Panels   // what Prepare makes
	D        *blas.Panels   // [O, R]
	DX       []*blas.Panels // per input: [I, R]; nil if no gradient is needed
	Done     Receiver
	Space    *blas.Space
	Training *Training // nil when the network is not trained
	Scratch  []float32 // a buffer for one call of a method
	Columns  []int32   // another one
}

// scratch returns a buffer of n floats with undefined contents. The next call returns the
// same memory.
func (f *Frame) scratch(n int) []float32 {
	if cap(f.Scratch) < n {
		f.Scratch = make([]float32, n)
	}
	return f.Scratch[:n]
}

// Training says which samples of a training a chunk has, for layers that draw random
// numbers. A layer draws the same for a sample wherever it is computed.
type Training struct {
	Seed   uint64
	Step   int64
	Sample int // the first sample of the chunk, in the batch of the step
}

// Receiver is notified of units of the gradient of an input that are complete, while they
// are in the cache.
type Receiver interface{ Receive(input, from, to int) }
