package model

import "tributary/shared/numeric/blas"

// Shape is what a node gives for each sample: Positions rows of Units numbers. A dense
// layer over rows has one position.
type Shape struct{ Positions, Units int }

// Layer computes a node's output from its input, for one chunk of samples at a time.
// It is immutable and safe for concurrent use.
type Layer interface {
	// Output is its shape.
	Output() Shape
	// Keeps reports whether Forward must keep something of the output's size for Backward.
	Keeps() bool
	// Prepare makes f.Ready, which Forward wants of the parameters, once for many chunks
	// whose panels are as wide as those of f.X.
	Prepare(f *Frame)
	// Forward computes f.Y from f.X.
	Forward(f *Frame)
	// Differentiate turns units from to to of f.D, d loss / d Y, into d loss / d Z, where
	// Z is what the sums of Gradient are over.
	Differentiate(f *Frame, from, to int)
	// Backward computes f.DX, d loss / d X, from f.D, d loss / d Z. It reports units that
	// are complete to f.Done, in any order.
	Backward(f *Frame)
	// Gradient says which sums over all positions its parameters' gradients are.
	Gradient() Gradient
}

// Gradient is the sums over positions that a layer's parameters' gradients are. Each is
// the offset of its tensor among the trained parameters, or −1 where it has none.
type Gradient struct {
	// Product is Σ z ⊗ x, [O, I]: of a matrix of weights.
	Product int
	// Column is Σ z, [O]: of a bias.
	Column int
}

// None reports whether the layer has no trained parameters.
func (g Gradient) None() bool { return g.Product < 0 && g.Column < 0 }

// Frame is what a layer computes on: one chunk of samples in one thread. R is the
// chunk's samples times positions; a matrix has a column for each.
type Frame struct {
	Weights Weights      // of the network
	X, Y    *blas.Panels // input [I, R], output [O, R]
	Keep    *blas.Panels // [O, R], of a layer that keeps
	Ready   *blas.Panels // what Prepare makes
	D       *blas.Panels // [O, R]
	DX      *blas.Panels // [I, R]
	Done    Receiver
	Space   *blas.Space
}

// Receiver is told of units of a gradient that are complete, while they are in the
// cache.
type Receiver interface{ Receive(from, to int) }
