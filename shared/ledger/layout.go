package ledger

import (
	"tributary/shared/job"
	"tributary/shared/wire"
)

// Layout is everything that a program must know about a job to use its ledger. It follows
// from the plan, so every process has the same layout.
type Layout struct {
	job.Ref
	Plan       job.Digest // digest of the plan
	Origin     job.Digest // digest of the plan from which the chain starts; "" if it is Plan
	Params     int        // P, the length of a gradient
	ChunkLen   int        // parameters in a chunk; the last chunk may be shorter
	Microbatch int        // M, leaves of the reduction tree
	// Wire is the format of stored roots; Wire.Partials is the format of stored partials. A
	// lossy wire accepts only vectors that are rounded to it (package rounding).
	Wire wire.Format
}

// Chunks returns the number of chunks of a gradient, at least 1.
func (l Layout) Chunks() int { return max(1, (l.Params+l.ChunkLen-1)/l.ChunkLen) }

// Chunk returns the half-open range of parameters in chunk c.
func (l Layout) Chunk(c int) (lo, hi int) {
	return c * l.ChunkLen, min(l.Params, (c+1)*l.ChunkLen)
}

// AllChunks returns the numbers of all chunks, in order.
func (l Layout) AllChunks() []int {
	all := make([]int, l.Chunks())
	for c := range all {
		all[c] = c
	}
	return all
}

// Vectors returns the number of vectors in a job's snapshot, when the optimizer folds n. A
// lossy wire adds one, the residual.
func (l Layout) Vectors(n int) int {
	if l.Wire.Lossy() {
		return n + 1
	}
	return n
}
