// Package model is networks of layers: their parameters as one flat vector,
// the forward pass, and the gradient of a loss by backpropagation.
//
// It owns the architecture, the layout and names of the parameters and their
// initial values. Matrix products are package blas's, or go through gonum's blas32,
// every other loop over floats is package numeric's. It knows nothing of steps,
// optimizers or tasks. Package gradient calls it, and whoever predicts.
//
// Shapes in comments: B rows, I inputs and O outputs of a layer, P parameters
// of the network. Matrices are row-major. A gradient is named d + what it is of.
//
// Invariant: outputs and gradients are pure functions of the arguments, the same
// bits on every CPU and in any number of threads: package numeric installs the
// products that it specifies behind blas32.
package model
