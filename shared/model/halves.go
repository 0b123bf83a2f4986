package model

import (
	"tributary/shared/numeric"
	"tributary/shared/tree"
)

// mostElements bounds what a pass keeps of a batch, in float32 of inputs and
// gradients of layers: 256 MiB.
const mostElements = 1 << 26

// halves is the buffers of batches that are computed in parts, because a pass over
// all of their rows would keep too much.
type halves struct {
	most   int         // elements
	sums   [][]float32 // by depth: the right half's gradient [P]
	bounds [][]int     // by depth: the half's bounds
}

// subtree computes a batch, half by half along the tree when it is large. A single
// micro-batch is never parted.
func (p *Pass) subtree(dst []float32, losses []float64, b Batch, h Hooks, depth int) bool {
	leaves := len(b.Bounds) - 1
	if leaves == 1 || 2*p.n.width*b.rows() <= p.most {
		return p.run(dst, losses, b, h)
	}
	for len(p.sums) <= depth {
		p.sums, p.bounds = append(p.sums, nil), append(p.bounds, nil)
	}
	mid := tree.Split(0, leaves)
	step := func(from, leaves int) Hooks {
		if h.Step == nil {
			return Hooks{}
		}
		all := len(b.Bounds) - 1
		return Hooks{Step: func(done, of int) bool { return h.Step(of*from+leaves*done, of*all) }}
	}
	if !p.subtree(dst, losses[:mid], p.half(b, 0, mid, depth), step(0, mid), depth+1) {
		return false
	}
	p.sums[depth] = grow(p.sums[depth], len(dst))
	right := p.sums[depth]
	if !p.subtree(right, losses[mid:], p.half(b, mid, leaves, depth), step(mid, leaves-mid), depth+1) {
		return false
	}
	numeric.Add(dst, dst, right)
	if h.Final != nil {
		h.Final(0, len(dst))
	}
	return true
}

// half is micro-batches lo to hi of b, until the next call for the same depth.
func (p *Pass) half(b Batch, lo, hi, depth int) Batch {
	begin, end, t := b.Bounds[lo], b.Bounds[hi], p.n.targets()
	bounds := p.bounds[depth][:0]
	for _, at := range b.Bounds[lo : hi+1] {
		bounds = append(bounds, at-begin)
	}
	p.bounds[depth] = bounds
	return Batch{X: b.X[begin:end], Y: b.Y[begin*t : end*t], Bounds: bounds}
}
