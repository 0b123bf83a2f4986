package model

import (
	"tributary/shared/job"
	"tributary/shared/numeric"
)

// Loss returns the sum of the rows' losses for outputs [rows, Outputs], in
// float64.
func (n *Network) Loss(outputs, y []float32, rows int) float64 {
	o := n.Outputs()
	z, y := outputs[:rows*o], y[:rows*n.targets()]
	switch n.loss {
	case job.SoftmaxCrossEntropy:
		return numeric.SoftmaxCrossEntropy(nil, z, y, o)
	case job.SigmoidCrossEntropy:
		return numeric.SigmoidCrossEntropy(nil, z, y)
	case job.MSE:
		return numeric.SquaredError(nil, z, y, 1/float64(o))
	default: // half_squared_error; New admits no other
		return numeric.SquaredError(nil, z, y, 0.5)
	}
}

// terms reports whether the loss is a sum over rows, one term after the other,
// and not one reduction over all elements.
func (n *Network) terms() bool { return n.loss == job.SoftmaxCrossEntropy }

// rowLoss writes d loss / d outputs of any rows to d [B, Outputs], and the rows'
// terms to terms [B] where the loss has them.
func (n *Network) rowLoss(d []float32, terms []float64, z, y []float32) {
	switch n.loss {
	case job.SoftmaxCrossEntropy:
		numeric.SoftmaxCrossEntropyRows(terms, d, z, y, n.Outputs())
	case job.SigmoidCrossEntropy:
		numeric.SigmoidCrossEntropyGradient(d, z, y)
	case job.MSE:
		numeric.SquaredErrorGradient(d, z, y, 1/float64(n.Outputs()))
	default:
		numeric.SquaredErrorGradient(d, z, y, 0.5)
	}
}

// batchLoss is the loss of a micro-batch's rows, of whose terms rowLoss was told.
func (n *Network) batchLoss(terms []float64, z, y []float32) float64 {
	if n.terms() {
		return numeric.SumRows(terms)
	}
	return n.Loss(z, y, len(terms))
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
