package executor

import (
	"tributary/shared/model"
	"tributary/shared/numeric/blas"
	"tributary/shared/tree"
)

// GradientBytes estimates the memory, in bytes, that an executor with the given number of
// threads takes for a gradient over the given samples and micro-batches. The parameters and
// the gradient are not counted. It counts:
//
//   - for a batch that is computed in halves: one vector per level of the tree;
//   - for the samples that are computed at a time: the inputs and dz of each layer, the
//     outputs and the loss terms;
//   - for each thread: the inputs and outputs of all layers for one chunk of samples,
//     what layers keep, two gradients, and the biases as panels.
//
// Panels are padded. The padding is large when layers are wide and the number of samples is
// between eight and the columns of a panel.
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

// ForwardBytes estimates the memory, in bytes, that an executor with the given number of
// threads takes to compute the outputs of the given number of rows.
func ForwardBytes(n *model.Network, rows, threads int) int64 {
	rows = max(1, min(rows, max(sliceGrain, forwardFloats/n.Outputs())))
	return 4 * (int64(rows)*int64(n.Outputs()) + int64(threads)*threadFloats(n, rows, threads, false))
}

// threadFloats returns the floats that one thread needs for a chunk.
func threadFloats(n *model.Network, samples, threads int, backward bool) int64 {
	chunk := min(samples, chunkSamples(n.Params()+n.Frozen(), n.Width(), samples, threads, Budget/4))
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
	return floats + kernelFloats
}

// grow returns a slice of n floats. It reuses b if b is large enough. The contents are
// undefined.
func grow(b []float32, n int) []float32 {
	if cap(b) < n {
		return make([]float32, n)
	}
	return b[:n]
}

// room returns b with at least n elements. It keeps the elements of b.
func room[T any](b []T, n int) []T {
	if len(b) < n {
		b = append(b, make([]T, n-len(b))...)
	}
	return b
}

// kernelFloats is what the products of one thread take for packed blocks and partial sums.
const kernelFloats = 1 << 18
