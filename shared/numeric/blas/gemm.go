package blas

import "tributary/shared/numeric/internal/kernel"

// Block sizes: a panel of B (kc × NR) stays in the first-level cache, a block of
// A (mc × kc) in the second.
const (
	kc = 256
	mc = 336
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
	costTurn = 8 // transposing one element
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
	packB := p.b.cs != 1 || p.b.scale != 1 || p.m > 3*s.MR
	for l := 0; l < p.k; l += kc {
		q := p
		q.k = min(kc, p.k-l)
		q.b, q.load = p.b.part(l, 0), p.load || l > 0
		for i := 0; i < p.m; i += mc {
			q.m = min(mc, p.m-i)
			q.a, q.c = p.a.part(i, l), p.c.part(i, 0)
			q.block(s, w, packB)
		}
	}
}

// block computes p for m ≤ mc and k ≤ kc.
func (p product) block(s *kernel.Set, w *workspace, packB bool) {
	a := packedA{p: &p.a.v[0], rs: 4 * p.a.rs, cs: 4 * p.a.cs, ps: 4 * s.MR * p.a.rs}
	if p.a.scale != 1 {
		a = w.packA(s, p.a, p.m, p.k)
	}
	for j := 0; j < p.n; j += s.NR {
		width := min(s.NR, p.n-j)
		b, rsb := &p.b.v[j*p.b.cs], 4*p.b.rs
		if packB || width < s.NR && !s.Masked {
			b, rsb = w.packB(s, p.b.part(0, j), p.k, width), 4*s.NR
		}
		p.panel(s, w, a, b, rsb, p.c.part(0, j), width)
	}
}

// panel computes the columns of c, width of them.
func (p product) panel(s *kernel.Set, w *workspace, a packedA, b *float32, rsb int, c matrix, width int) {
	f, load := s.Wide, uint64(0)
	if width <= s.NR/2 {
		f = s.Half
	}
	if p.load {
		load = 1
	}
	mask := uint64(1)<<width - 1
	if c.cs == 1 && (s.Masked || width == s.NR || width == s.NR/2) {
		f(p.m, p.k, a.p, a.rs, a.cs, a.ps, b, rsb, &c.v[0], 4*c.rs, load, mask)
		return
	}
	tile := w.tile[:p.m*s.NR]
	if p.load {
		gather(s, tile, c, p.m, width)
	}
	f(p.m, p.k, a.p, a.rs, a.cs, a.ps, b, rsb, &tile[0], 4*s.NR, load, mask)
	scatter(s, c, tile, p.m, width)
}
