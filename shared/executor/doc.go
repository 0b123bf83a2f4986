// Package executor runs a network over a batch of samples: to train, to evaluate and to
// predict.
//
// It owns the buffers, the threads, the way a batch is split, and the two phases of a
// gradient. It does not own what a layer or a loss computes: packages model and objective
// do. Package gradient calls it to train and to evaluate; package registry calls it to
// predict.
//
// The executor splits a batch at three levels. The micro-batches are the leaves of a tree.
// A batch that needs more memory than the budget is halved along this tree, and the
// executor computes one half after the other. A leaf that is still too large is computed in
// slices of samples; each slice continues the floating-point sums of the one before. Inside
// a slice, each thread takes chunks of samples. Layers that need a whole micro-batch at once
// (model.Batchwise) cut the work of a chunk into stages, and their leaves are never sliced.
//
// Shapes in comments: B samples, I inputs and O outputs of a layer, R columns of a chunk, P
// trained parameters. Matrices are row-major.
//
// Invariant: a result is a pure function of the network, the parameters and the samples. It
// does not depend on the number of threads, on the budget or on earlier computations.
package executor
