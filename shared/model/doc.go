// Package model is what a network is: layers in a graph, and their parameters as one
// flat vector of named tensors.
//
// It owns the architecture, the layout, names and initial values of the parameters, and
// what each layer computes for a chunk of samples, forward and backward. It does not own
// buffers, threads or the loss: package executor runs a network over a batch. Matrix
// products are package numeric/blas's; every other loop over floats is package numeric's.
//
// Shapes in comments: B samples, I inputs and O outputs of a layer, R positions of a
// chunk, P parameters of the network. Matrices are row-major. A gradient is named d +
// what it is of.
//
// Invariant: outputs and gradients are pure functions of the arguments, the same bits on
// every CPU. What a layer computes for a position does not depend on the positions beside it.
package model
