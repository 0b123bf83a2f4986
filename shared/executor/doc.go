// Package executor runs a network over a batch of samples: to train, to evaluate and
// to predict.
//
// It owns the buffers, the threads, the cut of a batch into pieces, and the two phases of
// a gradient. It does not own what a layer or a loss computes: those are packages model
// and objective. Package gradient calls it to train and evaluate, package registry to
// predict.
//
// A batch is split three times. Its micro-batches are the leaves of a tree; a batch
// that would need more memory than the budget is computed half by half along the tree. A
// leaf that is still too large is computed in slices of samples, which continue the
// leaf's chains. Within that, threads take chunks of samples.
//
// Shapes in comments: B samples, I inputs and O outputs of a layer, R columns of a
// chunk, P parameters. Matrices are row-major.
//
// Invariant: results are pure functions of network, parameters and samples. They do
// not depend on the number of threads, on the budget or on what was computed before.
package executor
