// Package tree is the binary reduction tree over the micro-batches of a step: its nodes,
// the sets of nodes that cover it, and the order in which partials are summed.
//
// It is pure and knows nothing about gradients, queues or workers. The coordinator asks it
// for covers; workers and the ledger ask it for sums. Packages executor and numeric/blas
// add micro-batches in its order.
//
// Invariant: the value of a parent is left + right, always in that order. Every cover of
// the tree therefore sums to the same bits.
package tree

import (
	"math/bits"
	"slices"
)

// Node is the number of a node, as in a binary heap: the root is 1, and the children of n
// are 2n and 2n+1. A node over k > 1 leaves splits them at the largest power of two below
// k, as in RFC 6962. The number of leaves therefore determines the shape.
type Node uint64

// Root is the node over all leaves.
const Root Node = 1

// MaxLeaves is the largest number of leaves of a tree. With it, every node number fits
// easily.
const MaxLeaves = 1 << 16

// Left returns the left child's number.
func (n Node) Left() Node { return 2 * n }

// Right returns the right child's number.
func (n Node) Right() Node { return 2*n + 1 }

// Parent returns the parent's number; the root's is 0.
func (n Node) Parent() Node { return n / 2 }

// Sibling returns the parent's other child.
func (n Node) Sibling() Node { return n ^ 1 }

// split returns the number of leaves of the left child of a node over k > 1.
func split(k int) int { return 1 << (bits.Len(uint(k-1)) - 1) }

// Leaves returns the half-open range of leaves below n in a tree of m leaves;
// ok is false when the tree has no such node.
func (n Node) Leaves(m int) (lo, hi int, ok bool) {
	if n < Root || m < 1 {
		return 0, 0, false
	}
	lo, hi = 0, m
	for i := bits.Len64(uint64(n)) - 2; i >= 0; i-- {
		if hi-lo == 1 {
			return 0, 0, false
		}
		mid := lo + split(hi-lo)
		if n>>uint(i)&1 == 0 {
			hi = mid
		} else {
			lo = mid
		}
	}
	return lo, hi, true
}

// Split returns the leaf at which a node splits its range [lo, hi), hi-lo > 1, between its
// children.
func Split(lo, hi int) int { return lo + split(hi-lo) }

// Cover returns nodes that split a tree of m leaves over about slots workers. It halves the
// widest node, the leftmost first, until there are as many nodes as slots or every node is
// a leaf. The nodes are in leaf order.
func Cover(m, slots int) []Node {
	type interval struct {
		n    Node
		size int
	}
	cover := []interval{{Root, m}}
	for len(cover) < min(slots, m) {
		widest := 0
		for i, s := range cover {
			if s.size > cover[widest].size {
				widest = i
			}
		}
		s := cover[widest]
		left := split(s.size)
		cover = slices.Replace(cover, widest, widest+1, interval{s.n.Left(), left}, interval{s.n.Right(), s.size - left})
	}
	nodes := make([]Node, len(cover))
	for i, s := range cover {
		nodes[i] = s.n
	}
	return nodes
}

// Resolve returns a cover and the missing nodes of a tree of m leaves, given which nodes
// have arrived. cover has the highest arrived nodes, in leaf order. missing has the highest
// nodes below which nothing has arrived, in leaf order; it is empty exactly when the cover
// is complete.
func Resolve(m int, arrived func(Node) bool) (cover, missing []Node) {
	var visit func(n Node, size int)
	visit = func(n Node, size int) {
		if arrived(n) {
			cover = append(cover, n)
			return
		}
		if size == 1 {
			missing = append(missing, n)
			return
		}
		left := split(size)
		c, g := len(cover), len(missing)
		visit(n.Left(), left)
		visit(n.Right(), size-left)
		if len(cover) == c && len(missing) > g { // nothing below n has arrived
			missing = append(missing[:g], n)
		}
	}
	visit(Root, m)
	return cover, missing
}

// Sum folds the values of a complete cover of a tree of m leaves into the value of the
// root. value returns the value of a covered node, which add may overwrite; add returns
// left + right. Sum returns false if the nodes are not a cover.
func Sum[T any](m int, cover []Node, value func(Node) T, add func(left, right T) T) (T, bool) {
	in := make(map[Node]bool, len(cover))
	for _, n := range cover {
		in[n] = true
	}
	var visit func(n Node, size int) (T, bool)
	visit = func(n Node, size int) (T, bool) {
		if in[n] {
			return value(n), true
		}
		var zero T
		if size == 1 {
			return zero, false
		}
		left := split(size)
		l, ok := visit(n.Left(), left)
		if !ok {
			return zero, false
		}
		r, ok := visit(n.Right(), size-left)
		if !ok {
			return zero, false
		}
		return add(l, r), true
	}
	return visit(Root, m)
}
