package blas

import (
	"gonum.org/v1/gonum/blas/blas32"

	"tributary/shared/numeric/internal/kernel"
	loops "tributary/shared/numeric/internal/vector"
	"tributary/shared/tree"
)

// treeRows is how many rows of a panel of C are taken through the whole tree at a
// time, so that they and their partial sums stay in the first-level cache.
const treeRows = 84

// treeDepth is the longest part of a chain that is computed at a time.
const treeDepth = 512

// Tree is the order of a product's sum over leaves: parts of k one after the
// other. It is made once for the many products of one batch.
type Tree struct {
	K      int // Σ of the leaves' lengths
	steps  []treeStep
	depth  int  // places needed beside C
	resume bool // the first step continues from C
}

// treeStep is a kernel over [lo, hi) of k at a place of the stack, or, when there
// is no such range, a sum of two places. Place 0 is C.
type treeStep struct {
	lo, hi int
	at     int
	use    uint64
	sum    bool // place at ← place at + place at+1; else an empty range stores or adds zeros
}

// Reset makes t the tree over leaves whose bounds are given: leaf i is bounds[i] to
// bounds[i+1] of k, and may be empty. bounds has at least two elements, bounds[0] is
// 0.
func (t *Tree) Reset(bounds []int) {
	t.K, t.steps, t.depth, t.resume = bounds[len(bounds)-1], t.steps[:0], 0, false
	t.node(bounds, 0, len(bounds)-1, 0)
}

// Continue makes t the rest of a leaf, of length k > 0, whose chains so far are C: they go
// on from there.
func (t *Tree) Continue(k int) {
	t.K, t.steps, t.depth, t.resume = k, t.steps[:0], 0, true
	t.leaf(0, k, 0)
	t.steps[0].use = kernel.Load
}

// node appends the steps that leave the sum over leaves lo to hi at a place.
func (t *Tree) node(bounds []int, lo, hi, at int) {
	t.depth = max(t.depth, at)
	if hi-lo == 1 {
		t.leaf(bounds[lo], bounds[hi], at)
		return
	}
	mid := tree.Split(lo, hi)
	t.node(bounds, lo, mid, at)
	if begin, end := bounds[mid], bounds[hi]; hi-mid == 1 && end-begin <= treeDepth {
		t.steps = append(t.steps, treeStep{lo: begin, hi: end, at: at, use: kernel.Add})
		return
	}
	t.node(bounds, mid, hi, at+1)
	t.steps = append(t.steps, treeStep{at: at, sum: true})
}

func (t *Tree) leaf(begin, end, at int) {
	depth := even(end-begin, treeDepth)
	t.steps = append(t.steps, treeStep{lo: begin, hi: min(begin+depth, end), at: at, use: kernel.Store})
	for l := begin + depth; l < end; l += depth {
		t.steps = append(t.steps, treeStep{lo: l, hi: min(l+depth, end), at: at, use: kernel.Load})
	}
}

// GemmTree is C = Σ over t's leaves of A·B restricted to the leaf's part of k: a
// leaf's product is a chain from +0, as Sgemm with α = 1 and β = 0 has it, and
// products are added along the tree, a parent being left + right. A is [C.Rows, K],
// C is columns from, from + 1, … of the product, from a multiple of 32.
func GemmTree(space *Space, t *Tree, from int, a blas32.General, b *Panels, c blas32.General) {
	w := &space.w
	if w.tile == nil {
		w.tile = aligned(treeRows * widest)
	}
	if need := t.depth * treeRows * widest; cap(w.stack) < need {
		w.stack = aligned(need)
	}
	for j := 0; j < c.Cols; j += b.s.NR {
		for i := 0; i < c.Rows; i += treeRows {
			p := treePart{
				Tree: t, s: b.s, a: matrix{a.Data[i*a.Stride:], a.Stride, 1}, b: b.data[(from+j)/b.s.NR*b.ps:],
				c: matrix{c.Data[i*c.Stride+j:], c.Stride, 1},
				m: min(treeRows, c.Rows-i), n: min(b.s.NR, c.Cols-j), stack: w.stack,
			}
			p.run(w)
		}
	}
}

// treePart is a part of a product: at most treeRows rows of one panel of C.
type treePart struct {
	*Tree
	s     *kernel.Set
	a     matrix
	b     []float32 // the panel
	c     matrix
	m, n  int
	stack []float32
}

func (p *treePart) run(w *workspace) {
	f, exact := p.s.For(p.n)
	mask := uint64(1)<<p.n - 1
	c := p.c
	if !exact {
		mask, c = uint64(1)<<p.s.NR-1, matrix{w.tile, p.s.NR, 1}
		if p.resume {
			gather(p.s, w.tile, p.c, p.m, p.n)
		}
	}
	for _, step := range p.steps {
		to := c
		if step.at > 0 {
			to = p.place(step.at)
		}
		switch {
		case step.sum:
			p.add(to, p.place(step.at+1), exact)
		case step.lo == step.hi:
			p.zero(to, step.use, exact)
		default:
			f(p.m, step.hi-step.lo, &p.a.v[step.lo], 4*p.a.rs, 4, 4*p.s.MR*p.a.rs,
				&p.b[step.lo*p.s.NR], 4*p.s.NR, &to.v[0], 4*to.rs, &to.v[0], 4*to.rs, 0, step.use, mask)
		}
	}
	if !exact {
		scatter(p.s, p.c, w.tile, p.m, p.n)
	}
}

// place is where a partial sum lies, in rows of NR.
func (p *treePart) place(at int) matrix {
	return matrix{p.stack[(at-1)*treeRows*widest:], p.s.NR, 1}
}

// add is to ← to + t. Rows of partial sums are contiguous; of those of C only n
// columns may be written.
func (p *treePart) add(to, t matrix, exact bool) {
	k := loops.Of(p.s.Name)
	if to.rs == p.s.NR && (p.n == p.s.NR || !exact || &to.v[0] != &p.c.v[0]) {
		all := to.v[:p.m*to.rs]
		k.Add(all, all, t.v[:len(all)])
		return
	}
	for i := range p.m {
		row := to.v[i*to.rs:][:p.n]
		k.Add(row, row, t.v[i*t.rs:][:p.n])
	}
}

// zero is to ← 0, or to + 0.
func (p *treePart) zero(to matrix, use uint64, exact bool) {
	n := p.n
	if !exact {
		n = p.s.NR
	}
	if use == kernel.Store {
		fill(to, p.m, n)
		return
	}
	addZero(to, p.m, n)
}
