package model

import "tributary/shared/job"

// Workspace is one goroutine's buffers, for any network. They grow to the
// greatest network and number of rows seen and are then used again.
type Workspace struct {
	y [][]float32 // per layer: outputs [B, O]
	z [][]float32 // per gelu layer: inputs of the activation [B, O]

	// One micro-batch as a batch.
	pass   *Pass
	x      [][]float32
	bounds [2]int
	losses [1]float64
}

// NewWorkspace returns an empty workspace.
func NewWorkspace() *Workspace { return new(Workspace) }

// fit makes room for rows rows of n's layers.
func (w *Workspace) fit(n *Network, rows int) {
	for len(w.y) < len(n.layers) {
		w.y, w.z = append(w.y, nil), append(w.z, nil)
	}
	for i, l := range n.layers {
		w.y[i] = grow(w.y[i], rows*l.out)
		if l.activation == job.GELU {
			w.z[i] = grow(w.z[i], rows*l.out)
		}
	}
}

// grow returns n floats, of b when it has them; what they hold is undefined.
func grow(b []float32, n int) []float32 {
	if cap(b) < n {
		return make([]float32, n)
	}
	return b[:n]
}
