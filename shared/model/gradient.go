package model

// Forward returns the network's outputs (logits, for a classifying loss)
// [rows, Outputs] for params [P] and x [rows, Features]; they are valid until
// w's next use. It panics when params or x is too short.
func (n *Network) Forward(w *Workspace, params, x []float32, rows int) []float32 {
	return n.forward(w, params[:n.params], x[:rows*n.features], rows)
}

func (n *Network) forward(w *Workspace, params, x []float32, rows int) []float32 {
	w.fit(n, rows)
	if rows == 0 {
		return w.y[len(n.layers)-1]
	}
	for i := range n.layers {
		l := &n.layers[i]
		l.linear(w.y[i], params, x, rows)
		activate(l.activation, w.y[i], w.z[i])
		x = w.y[i]
	}
	return x
}

// Gradient overwrites dst [P] with the sum over the rows of d loss_row / d
// params, and returns the sum of the rows' losses. x is [rows, Features], y
// [rows] classes or [rows, Outputs] targets. No rows give zeros. NaN in the
// outputs or a class that there is none of make the loss NaN. It panics when a
// slice is too short.
func (n *Network) Gradient(dst []float32, w *Workspace, params, x, y []float32, rows int) (loss float64) {
	if w.pass == nil {
		w.pass = NewPass(nil)
	}
	w.x = w.x[:0]
	for x = x[:rows*n.features]; len(x) > 0; x = x[n.features:] {
		w.x = append(w.x, x[:n.features])
	}
	w.bounds[1] = rows
	n.SumGradient(dst, w.losses[:], w.pass, params, Batch{X: w.x, Y: y, Bounds: w.bounds[:]}, Hooks{})
	return w.losses[0]
}

// targets is the number of columns of y.
func (n *Network) targets() int {
	if n.loss.Classifies() {
		return 1
	}
	return n.Outputs()
}
