package blas

import "tributary/shared/numeric/internal/kernel"

// Block sizes: a panel of B (kc × NR) stays in the first-level cache, a block of
// A (mc × kc) and one of B (kc × nc) in the second.
const (
	kc = 256
	mc = 336
	nc = 256
)

// matrix is a view: element (i, j) is scale·v[i·rs + j·cs]; one of the strides is 1.
type matrix struct {
	v      []float32
	rs, cs int
	scale  float32
}

func (a matrix) transposed() matrix { return matrix{a.v, a.cs, a.rs, a.scale} }

// part returns the view of a from element (i, j) on.
func (a matrix) part(i, j int) matrix {
	return matrix{a.v[i*a.rs+j*a.cs:], a.rs, a.cs, a.scale}
}

// product is one product C [m, n] ← chain over A [m, k] and B [k, n]; m, n and k
// are at least 1, and C's scale is not looked at.
type product struct {
	m, n, k int
	a, b, c matrix
	load    bool // chains start from C, not from +0
}

// oriented returns p or its transpose, Cᵀ = Bᵀ·Aᵀ, whichever is less work. The
// kernels want rows of B and C contiguous: a B that is not is transposed while
// it is packed, a C that is not after a panel is computed.
func (p product) oriented(s *kernel.Set) product {
	q := product{p.n, p.m, p.k, p.b.transposed(), p.a.transposed(), p.c.transposed(), p.load}
	if q.cost(s) < p.cost(s) {
		return q
	}
	return p
}

// Costs in units of one multiply-add of a full panel.
const (
	costTurn = 4 // transposing one element
)

func (p product) cost(s *kernel.Set) int {
	wide := (p.n + s.NR/2 - 1) / (s.NR / 2) * (s.NR / 2)
	cost := p.m * wide * p.k
	if p.b.cs != 1 {
		cost += costTurn * p.n * p.k
	}
	if p.c.cs != 1 {
		cost += costTurn * p.n * p.m
	}
	return cost
}

// run computes p.
func (p product) run(s *kernel.Set, w *workspace) {
	p = p.oriented(s)
	for j := 0; j < p.n; j += nc {
		for l := 0; l < p.k; l += kc {
			q := p
			q.n, q.k = min(nc, p.n-j), min(kc, p.k-l)
			q.a, q.b, q.c, q.load = p.a.part(0, l), p.b.part(l, j), p.c.part(0, j), p.load || l > 0
			q.columns(s, w)
		}
	}
}

// columns computes p for n ≤ nc and k ≤ kc.
func (p product) columns(s *kernel.Set, w *workspace) {
	b := packedB{p: p.b.v, rs: p.b.rs, ps: s.NR * p.b.cs}
	switch full := p.n / s.NR * s.NR; {
	case p.b.cs != 1 || p.b.scale != 1 || p.m > 3*s.MR && p.b.rs > 64:
		b = w.packB(s, p.b, p.k, p.n)
	case full < p.n && !s.Masked():
		last := p
		last.n, last.b, last.c = p.n-full, p.b.part(0, full), p.c.part(0, full)
		p.n = full
		last.rows(s, w, w.packB(s, last.b, last.k, last.n))
	}
	if p.n > 0 {
		p.rows(s, w, b)
	}
}

// rows computes p, by blocks of mc rows, from b.
func (p product) rows(s *kernel.Set, w *workspace, b packedB) {
	for i := 0; i < p.m; i += mc {
		q := p
		q.m, q.a, q.c = min(mc, p.m-i), p.a.part(i, 0), p.c.part(i, 0)
		a := packedA{p: &q.a.v[0], rs: 4 * q.a.rs, cs: 4 * q.a.cs, ps: 4 * s.MR * q.a.rs}
		if q.a.scale != 1 || q.n > 3*s.NR && conflicting(q.a) {
			a = w.packA(s, q.a, q.m, q.k)
		}
		for j := 0; j < q.n; j += s.NR {
			q.panel(s, w, a, b, j)
		}
	}
}

// panel computes the columns of p's C from column j on.
func (p product) panel(s *kernel.Set, w *workspace, a packedA, b packedB, j int) {
	width := min(s.NR, p.n-j)
	f, exact := s.For(width)
	load, mask := uint64(0), uint64(1)<<width-1
	if p.load {
		load = 1
	}
	c, first := p.c.part(0, j), &b.p[j/s.NR*b.ps]
	if exact && c.cs == 1 {
		f(p.m, p.k, a.p, a.rs, a.cs, a.ps, first, 4*b.rs, &c.v[0], 4*c.rs, load, mask)
		return
	}
	tile := w.tile[:p.m*s.NR]
	if p.load {
		gather(s, tile, c, p.m, width)
	}
	f(p.m, p.k, a.p, a.rs, a.cs, a.ps, first, 4*b.rs, &tile[0], 4*s.NR, load, mask)
	scatter(s, c, tile, p.m, width)
}

// conflicting reports whether the rows or columns of a meet in the same few sets
// of the first-level cache.
func conflicting(a matrix) bool { return max(a.rs, a.cs)%256 == 0 }
