package ledger

import (
	"tributary/shared/job"
	"tributary/shared/wire"
)

// Layout is what must be known of a job to address its ledger. It comes from
// the plan, so every process has the same.
type Layout struct {
	job.Ref
	Plan       job.Digest // of the plan, from which the chain begins
	Params     int        // P, the length of a gradient
	ChunkLen   int        // parameters in a chunk; the last may be shorter
	Microbatch int        // M, leaves of the reduction tree
	// Wire is how roots are stored; partials are stored as Wire.Partials says. A lossy
	// wire takes only vectors that are rounded to it (package rounding).
	Wire wire.Format
}

// Chunks returns the number of chunks of a gradient, at least 1.
func (l Layout) Chunks() int { return max(1, (l.Params+l.ChunkLen-1)/l.ChunkLen) }

// Chunk returns the half-open range of parameters in chunk c.
func (l Layout) Chunk(c int) (lo, hi int) {
	return c * l.ChunkLen, min(l.Params, (c+1)*l.ChunkLen)
}

// AllChunks lists the numbers of all chunks.
func (l Layout) AllChunks() []int {
	all := make([]int, l.Chunks())
	for c := range all {
		all[c] = c
	}
	return all
}

// Vectors returns how many vectors a job's snapshot has when the optimizer folds n: a
// lossy wire adds one, the residual.
func (l Layout) Vectors(n int) int {
	if l.Wire.Lossy() {
		return n + 1
	}
	return n
}
