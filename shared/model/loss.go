package model

import (
	"tributary/shared/job"
	"tributary/shared/numeric"
)

// Loss returns the sum of the rows' losses for outputs [rows, Outputs], in
// float64.
func (n *Network) Loss(outputs, y []float32, rows int) float64 {
	return n.lossGradient(nil, outputs, y, rows)
}

// lossGradient is Loss and, unless d is nil, writes d loss / d outputs to
// d [rows, Outputs].
func (n *Network) lossGradient(d, outputs, y []float32, rows int) float64 {
	o := n.Outputs()
	z, y := outputs[:rows*o], y[:rows*n.targets()]
	switch n.loss {
	case job.SoftmaxCrossEntropy:
		return numeric.SoftmaxCrossEntropy(d, z, y, o)
	case job.SigmoidCrossEntropy:
		return numeric.SigmoidCrossEntropy(d, z, y)
	case job.MSE:
		return numeric.SquaredError(d, z, y, 1/float64(o))
	default: // half_squared_error; New admits no other
		return numeric.SquaredError(d, z, y, 0.5)
	}
}

// Probabilities writes softmax (each row sums to 1) or sigmoid (of the second
// class) of outputs [rows, Outputs] to dst, of the same shape; a nil dst is
// allocated, and dst may be outputs. For a regressing loss it copies.
func (n *Network) Probabilities(dst, outputs []float32, rows int) []float32 {
	size := rows * n.Outputs()
	if dst == nil {
		dst = make([]float32, size)
	}
	dst = dst[:size]
	switch n.loss {
	case job.SoftmaxCrossEntropy:
		numeric.Softmax(dst, outputs[:size], n.Outputs())
	case job.SigmoidCrossEntropy:
		copy(dst, outputs)
		numeric.Sigmoid(dst)
	default:
		copy(dst, outputs)
	}
	return dst
}
