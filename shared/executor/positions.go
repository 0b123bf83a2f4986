package executor

import (
	"tributary/shared/model"
	"tributary/shared/numeric/blas"
)

// lanes divides the number of columns of every chunk except the last: the elements of a
// loss are added in 16 lanes, and chunks write whole groups of 16 columns of dz.
const lanes = 16

// grain returns the smallest number of samples that has a multiple of 16 positions at every
// value of the network.
func grain(n *model.Network) int {
	g := 1
	for v := range n.Values() {
		for g*n.Shape(v).Positions%lanes != 0 {
			g *= 2
		}
	}
	return g
}

// positions returns the largest number of positions of a value of the network.
func positions(n *model.Network) int {
	most := 1
	for v := range n.Values() {
		most = max(most, n.Shape(v).Positions)
	}
	return most
}

// chains is the tree of the micro-batches over positions: the order of the sums of all nodes
// with this number of positions per sample.
type chains struct {
	positions int
	bounds    []int // of the micro-batches, in positions
	blas.Tree
}

// tree makes the trees of the batch.
func (e *Executor) tree() {
	used := 0
	for _, node := range e.nodes() {
		p := node.Output().Positions
		if node.Gradient().None() || e.chainsOf(p, used) != nil {
			continue
		}
		e.trees = room(e.trees, used+1)
		c := &e.trees[used]
		used++
		c.positions, c.bounds = p, c.bounds[:0]
		for _, at := range e.batch.Bounds {
			c.bounds = append(c.bounds, at*p)
		}
		if e.slice.first {
			c.Reset(c.bounds)
		} else {
			c.Continue(e.batch.samples() * p)
		}
	}
}

// chainsOf returns the tree for nodes with p positions among the first `used` trees; nil if
// there is none.
func (e *Executor) chainsOf(p, used int) *chains {
	for i := range e.trees[:used] {
		if e.trees[i].positions == p {
			return &e.trees[i]
		}
	}
	return nil
}
