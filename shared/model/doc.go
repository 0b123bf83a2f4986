// Package model is networks of layers: their parameters as one flat vector,
// the forward pass, and the gradient of a loss by backpropagation.
//
// It owns the architecture, the layout and names of the parameters and their
// initial values. Matrix products go through gonum's blas32, every other loop
// over floats through package numeric. It knows nothing of steps, optimizers
// or tasks. Package gradient calls it, and whoever predicts.
//
// Shapes in comments: B rows, I inputs and O outputs of a layer, P parameters
// of the network. Matrices are row-major. A gradient is named d + what it is of.
//
// Invariant: outputs and gradients are pure functions of the arguments, bit for
// bit on one numerics fingerprint. gonum's Sgemm keeps it under concurrency: it
// cuts a result of four or more blocks of 64 × 64 among goroutines, but each
// block is summed by one of them, along k in order, and whether it is cut
// depends on the shape alone. (Those goroutines are the only allocations of a
// workspace's steady state.) Memory alignment does enter its dot product: see
// [numeric.Aligned].
package model
