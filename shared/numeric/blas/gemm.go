package blas

import "tributary/shared/numeric/internal/kernel"

// Block sizes. B is read in blocks of kc × nc. Such a block stays in the second-level cache
// together with a block of A, mc × kc.
const (
	kc = 512
	mc = 84
	nc = 512

	flatCols = 128 // columns of B that flat computes at a time

	direct = 16 << 10 // a B with at most this many elements is not packed
)

// matrix is a view: element (i, j) is v[i·rs + j·cs]; one of the strides is 1.
type matrix struct {
	v      []float32
	rs, cs int
}

func (a *matrix) transposed() matrix { return matrix{a.v, a.cs, a.rs} }

// view returns the view of a that starts at element (i, j).
func (a *matrix) view(i, j int) matrix { return matrix{a.v[i*a.rs+j*a.cs:], a.rs, a.cs} }

// product describes one product C [m, n] ← chain over αA [m, k] and βB [k, n]. m, n and k
// are at least 1.
type product struct {
	m, n, k     int
	a, b, c     matrix
	alpha, beta float32  // multiply the elements of A and of B; 1 multiplies nothing
	load        bool     // chains start from C, not from +0
	add         bool     // chains start from +0 and are added to C
	packed      *packedA // A, if it is packed already; else nil
}

// orient replaces p by its transpose, Cᵀ = Bᵀ·Aᵀ, if that is less work. The kernels need
// contiguous rows of B and C. If the rows of B are not contiguous, B is transposed while it
// is packed. If the rows of C are not contiguous, C is transposed after a panel is
// computed.
func (p *product) orient(s *kernel.Set) {
	if p.b.cs == 1 && p.n&(s.NR/2-1) == 0 {
		return
	}
	asIs := cost(s, p.m, p.n, p.k, p.b.cs != 1, p.c.cs != 1)
	if cost(s, p.n, p.m, p.k, p.a.rs != 1, p.c.rs != 1) >= asIs {
		return
	}
	p.transpose()
}

// transpose sets p to the same product of the transposed matrices.
func (p *product) transpose() {
	p.m, p.n = p.n, p.m
	p.a, p.b, p.c = p.b.transposed(), p.a.transposed(), p.c.transposed()
	p.alpha, p.beta = p.beta, p.alpha
}

// The cost of transposing an element, in multiply-adds of a full panel: in blocks of 8 × 8,
// and one by one.
const (
	costTransposed = 8
	costOne        = 32
)

func costOf(rows, cols int) int {
	if rows < 8 || cols < 8 {
		return costOne * rows * cols
	}
	return costTransposed * rows * cols
}

func cost(s *kernel.Set, m, n, k int, transposeB, transposeC bool) int {
	wide := (n + s.NR/2 - 1) &^ (s.NR/2 - 1)
	cost := m * wide * k
	if transposeB {
		cost += costOf(n, k)
	}
	if transposeC { // after each kc of the chain, and before each except the first
		cost += (2*((k+kc-1)/kc) - 1) * costOf(n, m)
	}
	return cost
}

// run computes p. It may change p.
func (p *product) run(s *kernel.Set, w *workspace) {
	if min(p.m, p.n) <= mostRows && p.few(s, w) {
		return
	}
	p.orient(s)
	if p.edge(s, w) {
		return
	}
	switch {
	case p.add && p.k > kc:
		p.runAside(s, w)
	case p.n <= nc && p.k <= kc:
		p.columns(s, w)
	default:
		p.blocks(s, w)
	}
}

// blocks computes p in blocks of nc columns and kc steps of the chain.
func (p *product) blocks(s *kernel.Set, w *workspace) {
	depth := evenly(p.k, kc, 4)
	if p.m <= mc && p.n > nc {
		p.flat(s, w, depth)
		return
	}
	for j := 0; j < p.n; j += nc {
		for l := 0; l < p.k; l += depth {
			q := *p
			q.n, q.k = min(nc, p.n-j), min(depth, p.k-l)
			q.a, q.b, q.c, q.load = p.a.view(0, l), p.b.view(l, j), p.c.view(0, j), p.load || l > 0
			q.columns(s, w)
		}
	}
}

// flat is blocks for m ≤ mc, where copying B is a large part of the work. It packs A once
// for all columns. It reads few columns of B at a time, so that they are still in the cache
// when they are needed again.
func (p *product) flat(s *kernel.Set, w *workspace, depth int) {
	for l := 0; l < p.k; l += depth {
		q := *p
		q.k, q.a, q.load = min(depth, p.k-l), p.a.view(0, l), p.load || l > 0
		a := q.blockOfA(s, w)
		q.packed = &a
		for j := 0; j < p.n; j += flatCols {
			r := q
			r.n, r.b, r.c = min(flatCols, p.n-j), p.b.view(l, j), p.c.view(0, j)
			r.columns(s, w)
		}
	}
}

// blockOfA returns A in the form that kernels read: packed, or in its own memory.
func (p *product) blockOfA(s *kernel.Set, w *workspace) packedA {
	if p.packed != nil {
		return *p.packed
	}
	if p.alpha != 1 || p.n > 3*s.NR && p.a.conflicting() {
		return w.packA(s, p.a, p.alpha, p.m, p.k)
	}
	return packedA{p: &p.a.v[0], rs: 4 * p.a.rs, cs: 4 * p.a.cs, ps: 4 * s.MR * p.a.rs}
}

// evenly returns the size of the parts of a length. It is a multiple of grain, about the
// same for all parts, and at most most, rounded up to a multiple of grain.
func evenly(length, most, grain int) int {
	parts := (length + most - 1) / most
	size := (length + parts - 1) / parts
	return (size + grain - 1) / grain * grain
}

// columns computes p for n ≤ nc and k ≤ kc.
func (p *product) columns(s *kernel.Set, w *workspace) {
	if p.b.cs != 1 || p.beta != 1 || p.m > 3*s.MR && p.k*p.b.rs > direct {
		p.rows(s, w, w.packB(s, p.b, p.beta, p.k, p.n))
		return
	}
	b := packedB{p: p.b.v, rs: p.b.rs, ps: s.NR}
	full := p.n &^ (s.NR - 1)
	if full == p.n || s.Masked() {
		p.rows(s, w, b)
		return
	}
	if full > 0 {
		q := *p
		q.n = full
		q.rows(s, w, b)
	}
	q := *p
	q.n, q.b, q.c = p.n-full, p.b.view(0, full), p.c.view(0, full)
	q.rows(s, w, w.packB(s, q.b, 1, q.k, q.n))
}

// rows computes p from b, in blocks of mc rows.
func (p *product) rows(s *kernel.Set, w *workspace, b packedB) {
	if p.m <= mc {
		p.block(s, w, b)
		return
	}
	size := evenly(p.m, mc, s.MR)
	for i := 0; i < p.m; i += size {
		q := *p
		q.m, q.a, q.c = min(size, p.m-i), p.a.view(i, 0), p.c.view(i, 0)
		q.block(s, w, b)
	}
}

// block computes p for m ≤ mc.
func (p *product) block(s *kernel.Set, w *workspace, b packedB) {
	a := p.blockOfA(s, w)
	use := p.use()
	for at, j := 0, 0; j < p.n; at, j = at+b.ps, j+s.NR {
		width := min(s.NR, p.n-j)
		f, exact := s.For(width)
		if mask := uint64(1)<<width - 1; exact && p.c.cs == 1 {
			f(p.m, p.k, a.p, a.rs, a.cs, a.ps, &b.p[at], 4*b.rs, &p.c.v[j], 4*p.c.rs, &p.c.v[j], 4*p.c.rs, 0, use, mask)
			continue
		}
		c, tile := p.c.view(0, j), w.tile[:p.m*s.NR]
		if use != kernel.Store {
			gather(s, tile, c, p.m, width)
		}
		f(p.m, p.k, a.p, a.rs, a.cs, a.ps, &b.p[at], 4*b.rs, &tile[0], 4*s.NR, &tile[0], 4*s.NR, 0, use, 1<<s.NR-1)
		scatter(s, c, tile, p.m, width)
	}
}

// conflicting reports whether the rows or columns of a map to the same few sets of the
// first-level cache.
func (a *matrix) conflicting() bool { return max(a.rs, a.cs)%256 == 0 }
