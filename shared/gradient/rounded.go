package gradient

import (
	"tributary/shared/job"
	"tributary/shared/model"
	"tributary/shared/numeric"
	"tributary/shared/rounding"
	"tributary/shared/tree"
)

// rounded computes the gradient of a node, of the micro-batches from … to-1 of those
// that s has gathered, into dst [P]: leaf by leaf, for each node below the root is
// rounded before it is added. It is false when the context ended meanwhile.
func (e *Engine) rounded(dst []float32, s *Scratch, params []float32, node tree.Node, from, to int) bool {
	if s.ctx.Err() != nil {
		return false
	}
	if to-from == 1 {
		if !e.leaf(dst, s, params, from) {
			return false
		}
	} else {
		mid := tree.Split(from, to)
		if !e.rounded(dst, s, params, node.Left(), from, mid) {
			return false
		}
		right := s.Vector(len(dst))
		defer s.Free(right)
		if !e.rounded(right, s, params, node.Right(), mid, to) {
			return false
		}
		numeric.Add(dst, dst, right)
	}
	if node != tree.Root {
		lay := e.Layout(job.Ref{})
		for c := range lay.Chunks() {
			lo, hi := lay.Chunk(c)
			rounding.Inner(e.wire, dst[lo:hi])
		}
	}
	return true
}

// leaf computes the gradient of one micro-batch of those that s has gathered.
func (e *Engine) leaf(dst []float32, s *Scratch, params []float32, i int) bool {
	lo, hi := s.bounds[i], s.bounds[i+1]
	g := e.Plan.Dataset.Targets
	batch := model.Batch{X: s.x[lo:hi], Y: s.y[lo*g : hi*g], Bounds: []int{0, hi - lo}}
	step := func(int, int) bool { return s.ctx.Err() == nil }
	return e.Network.SumGradient(dst, s.losses[i:i+1], s.pass, params, batch, model.Hooks{Step: step}) && s.tell(i+1)
}
