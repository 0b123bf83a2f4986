package executor

import (
	"tributary/shared/model"
	"tributary/shared/numeric/blas"
	"tributary/shared/tree"
)

// GradientBytes returns about the memory in bytes that an executor of so many threads takes
// for a gradient over samples in micro-batches, beside the parameters and the gradient:
//
//   - the halves of a batch that is computed in parts: a vector for each depth;
//   - of the samples that are computed at a time: each layer's inputs and dz, the
//     outputs and the loss terms;
//   - of each thread: all layers' inputs and outputs for one chunk of samples, what
//     layers keep, two gradients, and the biases as panels.
//
// Panels are padded. That is much when the layers are wide and the samples are between
// eight and a panel's columns.
func GradientBytes(n *model.Network, samples, microbatches, threads int) int64 {
	leaf, vectors := (samples+microbatches-1)/microbatches, 0
	for leaves := microbatches; leaves > 1 && 2*n.Width()*samples > Budget/4; vectors++ {
		leaves = max(tree.Split(0, leaves), leaves-tree.Split(0, leaves))
		samples = min(samples, leaf*leaves)
	}
	if 2*n.Width()*samples > Budget/4 { // one leaf: slices
		samples = min(samples, max(sliceGrain, Budget/4/(2*n.Width())))
	}
	samples = max(samples, 1)
	batch := int64(samples)*int64(n.Outputs()+2) + blas.PanelFloats(samples, 1)
	for i, node := range n.Nodes() {
		batch += blas.PanelFloats(samples, n.Source(i).Units) + int64(node.Output().Units)*int64((samples+15)/16*16|16)
	}
	return 4 * (int64(vectors)*int64(n.Params()) + batch + int64(threads)*threadFloats(n, samples, threads, true))
}

// ForwardBytes returns about the memory in bytes that an executor of so many threads
// takes for the outputs of so many rows.
func ForwardBytes(n *model.Network, rows, threads int) int64 {
	rows = max(1, min(rows, max(sliceGrain, forwardFloats/n.Outputs())))
	return 4 * (int64(rows)*int64(n.Outputs()) + int64(threads)*threadFloats(n, rows, threads, false))
}

// threadFloats is what a thread has for a chunk.
func threadFloats(n *model.Network, samples, threads int, backward bool) int64 {
	chunk := min(samples, chunkSamples(n.Params(), n.Width(), samples, threads, Budget/4))
	of := func(units int) int64 { return blas.NarrowFloats(units, chunk) }
	if backward {
		of = func(units int) int64 { return blas.PanelFloats(units, chunk) }
	}
	floats, widest := blas.PanelFloats(chunk, n.Features())+of(n.Features())+int64(chunk)*int64(n.Outputs()), n.Outputs()
	for _, node := range n.Nodes() {
		units := node.Output().Units
		floats += of(units) + blas.PanelFloats(units, 1)
		if node.Keeps() {
			floats += of(units)
		}
		widest = max(widest, units)
	}
	if backward {
		floats += 2 * of(widest)
	}
	return floats
}

// grow returns n floats, of b when it has them; what they hold is undefined.
func grow(b []float32, n int) []float32 {
	if cap(b) < n {
		return make([]float32, n)
	}
	return b[:n]
}

// room returns b with at least n elements, those that there are as they were.
func room[T any](b []T, n int) []T {
	if len(b) < n {
		b = append(b, make([]T, n-len(b))...)
	}
	return b
}
