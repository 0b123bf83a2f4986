package model

import (
	"tributary/shared/job"
	"tributary/shared/tree"
)

// widestPanel is the most columns that a kernel's panel has, see blas.Panels.
const widestPanel = 32

// PassBytes returns about the memory in bytes that a Pass of so many threads takes for a
// batch of rows in micro-batches, beside the parameters and the gradient. It follows
// [Pass.subtree], [Pass.fit] and [Pass.rows]:
//
//   - the halves of a batch that is computed in parts: a vector for each depth;
//   - of the batch: each layer's inputs and dz, the outputs and the loss terms;
//   - of each thread: all layers' inputs and outputs for one chunk of rows, the
//     inputs of gelu, two gradients, and the biases as panels.
//
// Panels are padded to widestPanel columns. That is much when the layers are wide and the rows few.
func (n *Network) PassBytes(rows, microbatches, threads int) int64 {
	leaf := (rows + microbatches - 1) / microbatches
	vectors := 0
	for leaves := microbatches; leaves > 1 && 2*n.width*rows > mostElements; vectors++ {
		leaves = max(tree.Split(0, leaves), leaves-tree.Split(0, leaves))
		rows = min(rows, leaf*leaves)
	}
	rows = max(rows, 1)
	batch := int64(rows) * int64(n.Outputs()+widestPanel+2)
	for i := range n.layers {
		l := &n.layers[i]
		batch += panelElements(rows, l.in) + int64(l.out)*int64((rows+15)/16*16|16)
	}
	chunk := n.chunkRows(rows, threads)
	thread := panelElements(n.features, chunk) + int64(chunk)*int64(n.Outputs())
	widest := n.Outputs()
	for i := range n.layers {
		l := &n.layers[i]
		thread += panelElements(l.out, chunk)
		if l.activation == job.GELU {
			thread += panelElements(l.out, chunk)
		}
		if l.bias >= 0 {
			thread += panelElements(l.out, 1)
		}
		widest = max(widest, l.out)
	}
	thread += 2 * panelElements(widest, chunk)
	return 4 * (int64(vectors)*int64(n.params) + batch + int64(threads)*thread)
}

// panelElements is the float32 of blas.Panels of so many rows and columns.
func panelElements(rows, cols int) int64 {
	return int64((cols+widestPanel-1)/widestPanel) * int64(rows*widestPanel+16)
}

// ForwardRows returns how many rows Forward should be given at a time, for its
// buffers to keep to about 16 MiB: at least 1. The outputs of a row do not depend on
// the rows beside it.
func (n *Network) ForwardRows() int { return max(1, forwardElements/n.width) }

// forwardElements bounds the outputs of all layers that one Forward keeps.
const forwardElements = 4 << 20

// ForwardBytes returns about the memory in bytes that Forward's workspace takes for
// so many rows.
func (n *Network) ForwardBytes(rows int) int64 {
	elements := int64(0)
	for i := range n.layers {
		l := &n.layers[i]
		elements += int64(rows) * int64(l.out)
		if l.activation == job.GELU {
			elements += int64(rows) * int64(l.out)
		}
	}
	return 4 * elements
}
