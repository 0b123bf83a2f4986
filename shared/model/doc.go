// Package model describes a network: layers in a graph, and their parameters as named
// tensors. The tensors are views of two flat vectors, one of the trained and one of the
// frozen parameters.
//
// It owns the architecture; the layout, names and initial values of the parameters; and
// what each layer computes for a chunk of samples, forward and backward. It does not own
// buffers, threads or the loss. Package executor calls it to run a network over a batch.
// Package numeric/blas computes matrix products; package numeric computes every other loop
// over floats.
//
// Shapes in comments: B samples, I inputs and O outputs of a layer, R positions of a chunk,
// P trained and F frozen parameters of the network. Matrices are row-major. The name of a
// gradient is d plus the name of the quantity: dz is d loss / d z.
//
// Invariant: outputs and gradients are pure functions of the arguments, with the same bits
// on every CPU. What a layer computes for a sample does not depend on other samples, except
// as [Batchwise] says. Only layers with a window over an image look at several positions.
package model
