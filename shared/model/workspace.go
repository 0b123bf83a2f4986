package model

import "tributary/shared/job"

// Workspace is one goroutine's buffers, for any network. They grow to the
// greatest network and number of rows seen and are then used again.
type Workspace struct {
	y [][]float32 // per layer: outputs [B, O]
	z [][]float32 // per gelu layer: inputs of the activation [B, O]
	d [2][]float32
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

// gradients returns two buffers, each with room for the gradient of any of n's
// layers' outputs.
func (w *Workspace) gradients(n *Network, rows int) (d, other []float32) {
	for i := range w.d {
		w.d[i] = grow(w.d[i], rows*n.widest)
	}
	return w.d[0], w.d[1]
}

// grow returns n floats, of b when it has them; what they hold is undefined.
func grow(b []float32, n int) []float32 {
	if cap(b) < n {
		return make([]float32, n)
	}
	return b[:n]
}
