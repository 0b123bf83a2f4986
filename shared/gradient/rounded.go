package gradient

import (
	"tributary/shared/executor"
	"tributary/shared/numeric"
	"tributary/shared/rounding"
	"tributary/shared/tree"
)

// rounded computes the gradient of a node into dst [P], from the micro-batches from … to-1
// that s has gathered. It goes leaf by leaf, because each node below the root is rounded
// before it is added.
func (e *Engine) rounded(dst []float32, s *Scratch, params []float32, node tree.Node, from, to int) error {
	if err := s.ctx.Err(); err != nil {
		return err
	}
	if to-from == 1 {
		if err := e.leaf(dst, s, params, from); err != nil {
			return err
		}
	} else {
		mid := tree.Split(from, to)
		if err := e.rounded(dst, s, params, node.Left(), from, mid); err != nil {
			return err
		}
		right := s.Vector(len(dst))
		defer s.Free(right)
		if err := e.rounded(right, s, params, node.Right(), mid, to); err != nil {
			return err
		}
		numeric.Add(dst, dst, right)
	}
	if node != tree.Root {
		for c := range e.layout.Chunks() {
			lo, hi := e.layout.Chunk(c)
			rounding.Inner(e.layout.Wire, dst[lo:hi])
		}
	}
	return nil
}

// leaf computes the gradient of micro-batch i of those that s has gathered.
func (e *Engine) leaf(dst []float32, s *Scratch, params []float32, i int) error {
	lo, hi := s.bounds[i], s.bounds[i+1]
	batch := executor.Batch{X: s.x[:], Y: s.y, First: lo, Bounds: []int{0, hi - lo}, Training: s.training}
	step := func(int, int) bool { return s.ctx.Err() == nil }
	if err := s.executor.Gradient(dst, s.losses[i:i+1], e.under(params), batch, executor.Hooks{Step: step}); err != nil {
		return err
	}
	if !s.tell(i + 1) {
		return executor.ErrStopped
	}
	return nil
}
