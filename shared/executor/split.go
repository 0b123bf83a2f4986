package executor

import (
	"tributary/shared/numeric"
	"tributary/shared/tree"
)

// Budget is about the memory, in bytes, that an executor uses for the samples that it
// computes at a time: the inputs and gradients of all layers.
const Budget = 256 << 20

// split holds the buffers for batches that are computed in halves or slices.
type split struct {
	rights [][]float32 // per depth: the gradient of the right half [P]
	halves [][]int     // per depth: the bounds of the half
	bounds [2]int      // the bounds of a slice
}

// slice says whether the slice is the first, the last, or both, of its micro-batch.
type slice struct{ first, last bool }

// subtree computes a batch. If the batch is larger than the budget, subtree computes it
// half by half along the tree.
func (e *Executor) subtree(dst []float32, losses []float64, b Batch, h Hooks, depth int) error {
	leaves, samples := len(b.Bounds)-1, b.samples()
	switch {
	case samples == 0:
		clear(dst)
		clear(losses)
		if h.Final != nil {
			h.Final(0, len(dst))
		}
		return nil
	case e.shape.floats*samples <= e.budget, leaves == 1 && len(e.m.Network.Batchwise()) > 0:
		return e.run(dst, losses, b, slice{first: true, last: true}, h)
	case leaves == 1:
		return e.leaf(dst, losses, b, h)
	}
	for len(e.rights) <= depth {
		e.rights, e.halves = append(e.rights, nil), append(e.halves, nil)
	}
	mid := tree.Split(0, leaves)
	if err := e.subtree(dst, losses[:mid], e.half(b, 0, mid, depth), h.part(0, mid, leaves), depth+1); err != nil {
		return err
	}
	e.rights[depth] = grow(e.rights[depth], len(dst))
	right := e.rights[depth]
	if err := e.subtree(right, losses[mid:], e.half(b, mid, leaves, depth), h.part(mid, leaves-mid, leaves), depth+1); err != nil {
		return err
	}
	numeric.Add(dst, dst, right)
	if h.Final != nil {
		h.Final(0, len(dst))
	}
	return nil
}

// leaf computes a batch of one micro-batch in slices of samples. Each slice continues the
// floating-point sums of the slice before.
func (e *Executor) leaf(dst []float32, losses []float64, b Batch, h Hooks) error {
	samples, per := b.samples(), e.sliceSamples()
	for lo := 0; lo < samples; lo += per {
		hi := min(lo+per, samples)
		s := slice{first: lo == 0, last: hi == samples}
		hooks := h.part(lo, hi-lo, samples)
		if s.last {
			hooks.Final = h.Final
		}
		e.bounds = [2]int{0, hi - lo}
		part := Batch{X: b.X, Y: b.Y, First: b.First + lo, Bounds: e.bounds[:], Training: b.Training}
		if err := e.run(dst, losses, part, s, hooks); err != nil {
			return err
		}
	}
	return nil
}

// sliceSamples returns the number of samples of a slice.
func (e *Executor) sliceSamples() int {
	g := e.shape.grain
	return max(g, e.budget/e.shape.floats/g*g)
}

// half returns the micro-batches lo to hi of b. The result is valid until the next call
// with the same depth.
func (e *Executor) half(b Batch, lo, hi, depth int) Batch {
	begin := b.Bounds[lo]
	bounds := e.halves[depth][:0]
	for _, at := range b.Bounds[lo : hi+1] {
		bounds = append(bounds, at-begin)
	}
	e.halves[depth] = bounds
	return Batch{X: b.X, Y: b.Y, First: b.First + begin, Bounds: bounds, Training: b.Training}
}

// part returns the hooks for a part of the work. The part starts after `before` of `all`
// units and has `length` of them. It has no Final hook, because the ranges of its gradient
// are not final.
func (h Hooks) part(before, length, all int) Hooks {
	if h.Step == nil {
		return Hooks{}
	}
	return Hooks{Step: func(done, of int) bool { return h.Step(before+length*done/of, all) }}
}
