package executor

import (
	"cmp"
	"slices"

	"tributary/shared/numeric"
	"tributary/shared/tree"
)

// scatter holds what the sum of a node over integers needs. Its tensor is [Rows, O]: row k
// is the sum of dz over the positions with the integer k.
//
// Within a micro-batch, a row is a chain of additions from +0, in the order of the
// positions. Micro-batches are added along the tree. A micro-batch without the integer
// contributes +0, which changes no bit of the sum, because a chain from +0 is never −0.
type scatter struct {
	dz    []float32 // [B·P, O]
	pairs []pair
	at    []int32 // the positions, ordered by their integer, then by themselves
	rows  []row   // the integers that occur, rising
}

// pair is a position and its integer.
type pair struct{ integer, position int32 }

// row is one integer that occurs: its positions are at[lo:hi].
type row struct{ integer, lo, hi int }

// fit makes room for a batch with the given number of positions.
func (t *scatter) fit(positions, units int) { t.dz = grow(t.dz, positions*units) }

// sort orders the positions of samples of integers. It leaves out integers that are not in
// [0, rows): they stand for no row of the tensor.
func (t *scatter) sort(samples [][]int32, rows int) {
	t.pairs, t.at, t.rows = t.pairs[:0], t.at[:0], t.rows[:0]
	position := int32(0)
	for _, sample := range samples {
		for _, k := range sample {
			if k >= 0 && int(k) < rows {
				t.pairs = append(t.pairs, pair{k, position})
			}
			position++
		}
	}
	slices.SortFunc(t.pairs, func(a, b pair) int {
		return cmp.Or(cmp.Compare(a.integer, b.integer), cmp.Compare(a.position, b.position))
	})
	for i, p := range t.pairs {
		if i == 0 || p.integer != t.pairs[i-1].integer {
			t.rows = append(t.rows, row{integer: int(p.integer), lo: i})
		}
		t.at = append(t.at, p.position)
		t.rows[len(t.rows)-1].hi = i + 1
	}
}

// planScatter orders the positions of a node and appends its parts, each of about leastPart
// additions. block is the number of blocks before them; planScatter returns the number
// after them.
func (e *Executor) planScatter(node, block int) int {
	n, t := e.nodes()[node], &e.scatter[node]
	g, units := n.Gradient(), n.Output().Units
	t.sort(e.batch.X[n.Inputs[0]].Int32[e.batch.First:e.batch.First+e.batch.samples()], g.Rows)
	begin, first, work := 0, 0, 0
	for j, r := range t.rows {
		if work += (r.hi - r.lo) * units; work >= leastPart && j+1 < len(t.rows) {
			e.parts = append(e.parts, part{node, begin, r.integer + 1, first, j + 1, block})
			begin, first, work, block = r.integer+1, j+1, 0, block+1
		}
	}
	e.parts = append(e.parts, part{node, begin, g.Rows, first, len(t.rows), block})
	return block + 1
}

// scatterOf computes the rows of a part. tensor is the offset of the tensor.
func (s *space) scatterOf(q *part, tensor int) {
	e := s.e
	t, node := &e.scatter[q.node], &e.nodes()[q.node]
	units, bounds := node.Output().Units, e.chainsOf(node.Output().Positions, len(e.trees)).bounds
	dst := e.dst[tensor : tensor+node.Gradient().Rows*units]
	if e.slice.first {
		clear(dst[q.i*units : q.iEnd*units])
	}
	for _, r := range t.rows[q.j:q.jEnd] {
		s.scatter(dst[r.integer*units:(r.integer+1)*units], t, t.at[r.lo:r.hi], bounds, 0)
	}
	if e.hooks.Final != nil {
		e.final.Lock()
		defer e.final.Unlock()
		e.hooks.Final(tensor+q.i*units, tensor+q.iEnd*units)
	}
}

// scatter adds dz of the given positions to dst [O]. bounds are those of the micro-batches
// with the positions. dst is +0, or holds the chain of the one micro-batch so far.
func (s *space) scatter(dst []float32, t *scatter, at []int32, bounds []int, depth int) {
	units, leaves := len(dst), len(bounds)-1
	if leaves == 1 {
		for _, p := range at {
			numeric.Add(dst, dst, t.dz[int(p)*units:][:units])
		}
		return
	}
	mid := tree.Split(0, leaves)
	left, _ := slices.BinarySearch(at, int32(bounds[mid]))
	switch left {
	case 0:
		s.scatter(dst, t, at, bounds[mid:], depth)
	case len(at):
		s.scatter(dst, t, at, bounds[:mid+1], depth)
	default:
		s.scatter(dst, t, at[:left], bounds[:mid+1], depth)
		s.rights = room(s.rights, depth+1)
		s.rights[depth] = grow(s.rights[depth], units)
		right := s.rights[depth]
		clear(right)
		s.scatter(right, t, at[left:], bounds[mid:], depth+1)
		numeric.Add(dst, dst, right)
	}
}
