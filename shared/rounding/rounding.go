// Package rounding computes how a lossy wire changes the values of gradients, so that
// workers send fewer bytes.
//
// It owns the values of the nodes of a step's reduction tree. It leaves the encoding as
// bytes to package wire, and the single operations to package numeric. Package gradient,
// worker/compute and package serial call it when they compute a node or add two nodes.
//
// Let v(n) be the value of a node and Q the rounding of the job's wire. All sums are in
// float32:
//
//	v(leaf)  = Q(the micro-batch's gradient)
//	v(inner) = Q(v(left) + v(right))
//	u        = v(left) + v(right) + e       of the root; if the root is a leaf: the unrounded gradient + e
//	r        = Q'(u), e' = Q(u − r)         the root gradient, and the new residual
//
// The workers log r and fold it into the parameters. e is the residual: the part of earlier
// roots that rounding has lost. It is +0 before the first step. Each step adds it to the
// root (error feedback: Seide et al., "1-bit stochastic gradient descent", 2014;
// Karimireddy et al., "Error feedback fixes SignSGD and other gradient compression
// schemes", 2019). Workers also send e, so e is rounded too; only the error of this second
// rounding is lost for good. The other sums, rows and losses, are never rounded.
//
//	bfloat16  Q and Q' round to nearest even
//	int8      Q and Q' round in blocks of 256 parameters that share a power of two as scale
//	topk      Q is bfloat16's; Q' keeps the ceil(keep·n) elements of greatest |u| of a
//	          chunk of n unchanged, and sets the others to +0
//
// Each chunk of a gradient is rounded separately. If a root is not finite, then some
// elements of r and e are not finite.
//
// Invariant: a value depends on the node and the chunk, never on which worker computes it
// or on the cover of the tree. Q(Q(v)) = Q(v), so a rounded value is encoded exactly.
package rounding

import (
	"fmt"

	"tributary/shared/numeric"
	"tributary/shared/wire"
)

// Inner rounds, in place, a chunk of the value of a node that is not the root. If the
// format is not lossy, it changes nothing.
func Inner(f wire.Format, chunk []float32) {
	round(f.Partials(), chunk)
}

// Root computes the root gradient and the residual for one chunk, in place. sum is v(left)
// + v(right), the sum of the root's children; it becomes r. e has the same length and is
// the residual before the step; it becomes e'. If the format is not lossy, Root changes
// nothing.
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
		panic(fmt.Sprintf("rounding: unknown encoding %d", f.Encoding))
	}
}
