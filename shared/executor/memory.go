package executor

import (
	"slices"

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
//   - for a batchwise layer: its values, and those of all layers for the whole batch;
//   - for each thread: the inputs and outputs of all layers for one chunk of samples,
//     what layers keep, two gradients, and the biases as panels.
//
// Panels are padded. The padding is large when layers are wide and the number of samples is
// between eight and the columns of a panel.
func GradientBytes(n *model.Network, samples, microbatches, threads int) int64 {
	leaf, vectors := (samples+microbatches-1)/microbatches, 0
	for leaves := microbatches; leaves > 1 && n.Held()*samples > Budget/4; vectors++ {
		leaves = max(tree.Split(0, leaves), leaves-tree.Split(0, leaves))
		samples = min(samples, leaf*leaves)
	}
	if n.Held()*samples > Budget/4 && len(n.Batchwise()) == 0 { // one leaf: slices
		samples = min(samples, max(grain(n), Budget/4/n.Held()))
	}
	samples = max(samples, 1)
	batch := int64(samples)*int64(n.Output().Size()+2*n.Output().Positions) + blas.PanelFloats(samples*positions(n), 1)
	for v := range n.Values() {
		if n.Holder(v) >= 0 {
			batch += blas.PanelFloats(samples*n.Shape(v).Positions, n.Shape(v).Units)
		}
	}
	for _, node := range n.Nodes() {
		out, columns := node.Output(), samples*node.Output().Positions
		switch g := node.Gradient(); {
		case g.Scatter >= 0:
			batch += int64(columns) * int64(out.Units+scatterFloats)
		case !g.None():
			batch += int64(out.Units) * int64((columns+15)/16*16|16)
			if g.Scale >= 0 {
				batch += int64(out.Units) * int64((columns+15)/16*16|16)
			}
		}
	}
	batch += heldFloats(n, samples, microbatches, threads)
	return 4 * (int64(vectors)*int64(n.Params()) + batch + int64(threads)*threadFloats(n, samples, threads, true))
}

// ForwardBytes estimates the memory, in bytes, that an executor with the given number of
// threads takes to compute the outputs of the given number of rows.
func ForwardBytes(n *model.Network, rows, threads int) int64 {
	rows = max(1, min(rows, forwardSamples(n)))
	return 4 * (int64(rows)*int64(n.Output().Size()) + int64(threads)*threadFloats(n, rows, threads, false))
}

// heldFloats returns the floats that the chunks of a batch keep between the stages of a network
// with batchwise layers.
func heldFloats(n *model.Network, samples, leaves, threads int) int64 {
	if len(n.Batchwise()) == 0 {
		return 0
	}
	chunk := min(samples, chunkSamples(n, samples, threads, Budget/4))
	held, widest := int64(0), int64(0)
	of := func(s model.Shape) int64 { return blas.PanelFloats(s.Units, chunk*s.Positions) }
	for v := range n.Values() {
		held += of(n.Shape(v))
		widest = max(widest, of(n.Shape(v)))
	}
	for _, node := range n.Nodes() {
		if k := node.Keep(); k > 0 {
			held += of(model.Shape{Positions: node.Output().Positions, Units: k})
		}
	}
	held += int64(gradients(n)) * widest
	floats := held * int64((samples+chunk-1)/chunk)
	for _, i := range n.Batchwise() {
		out := n.Nodes()[i].Output()
		floats += 2*blas.PanelFloats(samples*out.Positions, out.Units) + blas.PanelFloats(leaves*model.Kept, out.Units)
	}
	return floats
}

// threadFloats returns the floats that one thread needs for a chunk.
func threadFloats(n *model.Network, samples, threads int, backward bool) int64 {
	chunk := min(samples, chunkSamples(n, samples, threads, Budget/4))
	of := func(s model.Shape) int64 { return blas.NarrowFloats(s.Units, chunk*s.Positions) }
	if backward {
		of = func(s model.Shape) int64 { return blas.PanelFloats(s.Units, chunk*s.Positions) }
	}
	floats := int64(chunk) * int64(n.Output().Size())
	for _, in := range n.Inputs() {
		floats += blas.PanelFloats(chunk*in.Shape.Positions, in.Shape.Units) + of(in.Shape)
		if in.Shape.Positions > 1 {
			floats += int64(chunk) * int64(6*in.Shape.Positions+in.Shape.Size())
		}
	}
	widest, scratch := int64(0), 0
	for _, node := range n.Nodes() {
		if node.Gradient().Scatter >= 0 || len(node.Inputs) == 1 && n.Shape(node.Inputs[0]).Positions != node.Output().Positions {
			scratch = max(scratch, node.Output().Size(), 2*n.Shape(node.Inputs[0]).Size()) // an embedding, a reshape, or a flatten
		}
		floats += of(node.Output()) + blas.PanelFloats(node.Output().Units, 1)
		if k := node.Keep(); k > 0 {
			floats += of(model.Shape{Positions: node.Output().Positions, Units: k})
		}
		widest = max(widest, of(node.Output()))
	}
	if backward {
		floats += int64(gradients(n)) * widest
	}
	return floats + int64(chunk)*int64(scratch) + kernelFloats
}

// gradients returns how many matrices the gradients of values take at a time. Two are
// enough for a chain. A scale needs one more for dz ⊗ x.
func gradients(n *model.Network) int {
	fields := len(n.Inputs())
	live, most, seen := 1, 1, make([]bool, n.Values())
	for i, node := range slices.Backward(n.Nodes()) {
		if !n.Learns(fields + i) {
			continue
		}
		if node.Gradient().Scale >= 0 {
			most = max(most, live+1)
		}
		for _, v := range node.Inputs {
			if !n.Learns(v) {
				continue
			}
			live++
			most = max(most, live)
			if seen[v] {
				live-- // it was added to the gradient
			}
			seen[v] = true
		}
		live--
	}
	return max(2, most)
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

// scatterFloats is what a scatter takes per position, beside dz: the order of the
// positions, the rows that occur, and a pair of integers, each with room to grow.
const scatterFloats = 16
