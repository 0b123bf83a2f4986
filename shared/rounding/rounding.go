// Package rounding is what a lossy wire does to the values of gradients, so that
// fewer bytes travel. It owns the values of the nodes of a step's reduction tree;
// how they look as bytes is package wire's, and the single operations are package
// numeric's. Whoever computes a node, or adds two up, calls it: package gradient,
// worker/compute, package serial.
//
// With v(n) the value of a node, Q the rounding of the job's wire, and all sums in
// float32:
//
//	v(leaf)  = Q(the micro-batch's gradient)
//	v(inner) = Q(v(left) + v(right))
//	u        = v(left) + v(right) + e       of the root, of one leaf the unrounded gradient + e
//	r        = Q'(u), e' = Q(u − r)         the root gradient, and what it lost
//
// r is logged and folded by everybody. e is the residual: +0 before the first step,
// and added to the next step's root (error feedback: Seide et al., "1-bit stochastic
// gradient descent", 2014; Karimireddy et al., "Error feedback fixes SignSGD and other
// gradient compression schemes", 2019). It travels too, and is rounded for that: what is
// lost for good is an error of an error. The sums beside a gradient, rows and losses,
// are never rounded.
//
//	bfloat16  Q and Q' to nearest even
//	int8      Q and Q' in blocks of 256 parameters that share a power of two as scale
//	topk      Q is bfloat16's; Q' keeps the ceil(keep·n) elements of greatest |u| of a
//	          chunk of n as they are, and makes +0 of the others
//
// Each chunk of a gradient is rounded on its own. Of a root that is not finite r and e
// are not either, in some elements.
//
// Invariant: a value depends on the node and the chunk, never on who computes it or on
// the cover of the tree; and Q(Q(v)) = Q(v), so what is rounded travels exactly.
package rounding

import (
	"fmt"

	"tributary/shared/numeric"
	"tributary/shared/wire"
)

// Inner rounds a chunk of the value of a node that is not the root, in place. Of a
// format that is not lossy it changes nothing.
func Inner(f wire.Format, chunk []float32) {
	round(f.Partials(), chunk)
}

// Root makes of the sum u − e of the root's children, a chunk of it, the root gradient
// r and of e, as long, the residual after it, both in place. Of a format that is not
// lossy it changes nothing.
func Root(f wire.Format, sum, e []float32) {
	if !f.Lossy() {
		return
	}
	numeric.Add(sum, sum, e)
	copy(e, sum)
	round(f, sum)
	numeric.Subtract(e, e, sum)
	Inner(f, e)
}

func round(f wire.Format, v []float32) {
	switch f.Encoding {
	case wire.Float32:
	case wire.Bfloat16:
		numeric.RoundBfloat16(v)
	case wire.Int8:
		numeric.RoundInt8(v)
	case wire.TopK:
		numeric.KeepGreatest(v, f.Kept(len(v)))
	default:
		panic(fmt.Sprintf("rounding to encoding %d", f.Encoding))
	}
}
