package blas

import (
	"gonum.org/v1/gonum/blas/blas32"

	"tributary/shared/numeric/internal/kernel"
	"tributary/shared/tree"
)

// treeRows is how many rows of a panel of C go through the whole tree at a time. These rows
// and their partial sums stay in the first-level cache.
const treeRows = 84

// treeDepth is the longest part of a chain that is computed at once.
const treeDepth = 512

// Tree is the order of a product's sum over leaves. Leaves are consecutive parts of k. A
// Tree is made once for the many products of one batch.
//
// Left siblings that wait for their right siblings are on a stack, which has one place for
// each level of the tree. A leaf may complete several right siblings. It is then added, in
// registers, to the left sibling of each, innermost first. It is stored once: at the last
// of these places, or in C if it is the last leaf.
type Tree struct {
	K      int // Σ of the leaves' lengths
	steps  []treeStep
	places int  // of the stack: at most 1 + ⌈log₂(leaves)⌉
	resume bool // the chain at place 0 continues from C
}

// treeStep is one call of a kernel over [lo, hi) of k. Its tiles are the places from, from
// − 1, …, and it stores at place to.
type treeStep struct {
	lo, hi   int // may be empty
	from, to int
	use      uint64
}

// Reset sets t to the tree over the leaves with the given bounds. Leaf i is bounds[i] to
// bounds[i+1] of k, and may be empty. bounds has at least two elements, and bounds[0] is 0.
func (t *Tree) Reset(bounds []int) {
	t.K, t.steps, t.places, t.resume = bounds[len(bounds)-1], t.steps[:0], 0, false
	t.node(bounds, 0, len(bounds)-1, 0, 0)
}

// Continue sets t to the rest of a leaf, of length k > 0. The chains so far are in C, and
// continue from there.
func (t *Tree) Continue(k int) {
	t.K, t.steps, t.places, t.resume = k, t.steps[:0], 0, true
	t.leaf(0, k, 0, 0)
	t.steps[0].from, t.steps[0].use = 0, kernel.Load
}

// node appends the steps of leaves lo to hi. The places below top are in use. The last leaf
// is also added to the highest `sums` of them.
func (t *Tree) node(bounds []int, lo, hi, top, sums int) {
	if hi-lo == 1 {
		t.leaf(bounds[lo], bounds[hi], top, sums)
		return
	}
	mid := tree.Split(lo, hi)
	t.node(bounds, lo, mid, top, 0)
	t.node(bounds, mid, hi, top+1, sums+1)
}

// leaf appends the steps of one leaf. They compute the chain in parts; place top holds it
// from one part to the next. The last part also adds the sums.
func (t *Tree) leaf(begin, end, top, sums int) {
	t.places = max(t.places, top+1)
	depth := even(end-begin, treeDepth)
	step := treeStep{lo: begin, hi: min(begin+depth, end), from: top - 1, to: top, use: kernel.Store}
	for ; step.hi < end; step.lo, step.hi = step.hi, min(step.hi+depth, end) {
		t.steps = append(t.steps, step)
		step.from, step.use = top, kernel.Load
	}
	step.to, step.use = top-sums, step.use+uint64(sums)*kernel.Add
	t.steps = append(t.steps, step)
}

// GemmTree computes C = Σ over t's leaves of A·B restricted to the leaf's part of k. The
// product of a leaf is a chain from +0, like Sgemm with α = 1 and β = 0. Products are added
// along the tree; a parent is left + right. A is [C.Rows, K]. C is the columns from, from +
// 1, … of the product; from is a multiple of 32.
func GemmTree(space *Space, t *Tree, from int, a blas32.General, b *Panels, c blas32.General) {
	if t.K == 0 {
		fill(matrix{c.Data, c.Stride, 1}, c.Rows, c.Cols)
		return
	}
	w := &space.w
	if w.tile == nil {
		w.tile = aligned(treeRows * widest)
	}
	if need := t.places * treeRows * widest; cap(w.stack) < need {
		w.stack = aligned(need)
	}
	for j := 0; j < c.Cols; j += b.s.NR {
		for i := 0; i < c.Rows; i += treeRows {
			p := subtree{
				Tree: t, s: b.s, a: matrix{a.Data[i*a.Stride:], a.Stride, 1}, b: b.data[(from+j)/b.s.NR*b.ps:],
				c: matrix{c.Data[i*c.Stride+j:], c.Stride, 1},
				m: min(treeRows, c.Rows-i), n: min(b.s.NR, c.Cols-j), stack: w.stack,
			}
			p.run(w)
		}
	}
}

// subtree is a part of a product: at most treeRows rows of one panel of C.
type subtree struct {
	*Tree
	s     *kernel.Set
	a     matrix
	b     []float32 // the panel
	c     matrix
	m, n  int
	stack []float32 // the places; each has treeRows rows of NR
}

func (p *subtree) run(w *workspace) {
	f, exact := p.s.For(p.n)
	mask := uint64(1)<<p.n - 1
	last := p.c
	if !exact {
		mask, last = uint64(1)<<p.s.NR-1, matrix{w.tile, p.s.NR, 1}
	}
	if p.resume {
		gather(p.s, p.stack, p.c, p.m, p.n)
	}
	size, rs := treeRows*p.s.NR, 4*p.s.NR
	for i, step := range p.steps {
		to, rsc := &p.stack[step.to*size], rs
		if i == len(p.steps)-1 {
			to, rsc = &last.v[0], 4*last.rs
		}
		lo := min(step.lo, p.K-1) // an empty step at the end must not point beyond k
		f(p.m, step.hi-step.lo, &p.a.v[lo], 4*p.a.rs, 4, 4*p.s.MR*p.a.rs, &p.b[lo*p.s.NR], rs,
			to, rsc, &p.stack[max(0, step.from)*size], rs, -4*size, step.use, mask)
	}
	if !exact {
		scatter(p.s, p.c, w.tile, p.m, p.n)
	}
}
