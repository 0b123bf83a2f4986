package model

import "tributary/shared/numeric/blas"

// Shape is the shape of a node's output for one sample: Positions rows of Units numbers. A
// dense layer over rows has one position.
type Shape struct{ Positions, Units int }

// Layer computes a node's output from its input, for one chunk of samples at a time.
// It is immutable and safe for concurrent use.
type Layer interface {
	// Output returns the shape of the layer's output.
	Output() Shape
	// Keeps reports whether Forward must keep a matrix of the output's size for Backward.
	Keeps() bool
	// Prepare derives from the parameters what Forward needs, and writes it to f.Ready. It
	// runs once for many chunks whose panels are as wide as those of f.X.
	Prepare(f *Frame)
	// Forward computes f.Y from f.X.
	Forward(f *Frame)
	// Differentiate turns units from to to of f.D from d loss / d Y into d loss / d Z. Z is
	// the quantity that the sums of Gradient are over.
	Differentiate(f *Frame, from, to int)
	// Backward computes f.DX, d loss / d X, from f.D, d loss / d Z. It reports complete
	// units to f.Done, in any order.
	Backward(f *Frame)
	// Gradient says how the gradients of the layer's parameters are computed as sums over
	// all positions.
	Gradient() Gradient
}

// Gradient names the sums over positions that give the gradients of a layer's parameters.
// Each field is the offset of a tensor among the trained parameters, or −1 if there is
// none.
type Gradient struct {
	// Product is the tensor whose gradient is Σ dz ⊗ x, [O, I]: a matrix of weights.
	Product int
	// Column is the tensor whose gradient is Σ dz, [O]: a bias.
	Column int
}

// None reports whether the layer has no trained parameters.
func (g Gradient) None() bool { return g.Product < 0 && g.Column < 0 }

// Frame holds the data that a layer computes with: one chunk of samples in one thread. R is
// the number of samples of the chunk times positions; a matrix has one column for each.
type Frame struct {
	Weights Weights      // of the network
	X, Y    *blas.Panels // input [I, R], output [O, R]
	Keep    *blas.Panels // [O, R], for a layer that keeps
	Ready   *blas.Panels // what Prepare makes
	D       *blas.Panels // [O, R]
	DX      *blas.Panels // [I, R]
	Done    Receiver
	Space   *blas.Space
}

// Receiver is notified of units of a gradient that are complete, while they are in the
// cache.
type Receiver interface{ Receive(from, to int) }
