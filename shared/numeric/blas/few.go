package blas

import "tributary/shared/numeric/internal/kernel"

// few computes p where C has few rows, or few columns as its transpose does,
// from A and B where they lie; false, and p as it was, where it does not.
func (p *product) few(s *kernel.Set, w *workspace) bool {
	if p.alpha != 1 || p.beta != 1 {
		return false
	}
	q := *p
	if q.n < q.m {
		q.transpose()
	}
	switch {
	case q.b.cs == 1 && q.m <= len(s.Rows):
		return q.rowsOfB(s)
	case q.b.rs == 1 && q.m <= len(s.Dots) && q.k <= mostDots:
		q.dots(s, w)
		return true
	}
	return false
}

// mostDots is the longest chain for which eight columns of B fit in a workspace.
const mostDots = nc * (kc + 16) / 8

// use returns what a kernel does with C.
func (p *product) use() uint64 {
	switch {
	case p.add:
		return kernel.Add
	case p.load:
		return kernel.Load
	}
	return kernel.Store
}

// rowsOfB computes p from a B whose rows are contiguous, in panels of as many
// columns as the accumulators hold; false where C's rows are not contiguous.
func (p *product) rowsOfB(s *kernel.Set) bool {
	if p.c.cs != 1 || !s.Masked() {
		return false
	}
	use, j := p.use(), 0
	for _, f := range s.Rows[p.m-1] {
		if n := (p.n - j) / f.Cols * f.Cols; n > 0 {
			f.F(n, p.k, &p.a.v[0], 4*p.a.rs, 4*p.a.cs, &p.b.v[j], 4*p.b.rs, &p.c.v[j], 4*p.c.rs, use)
			j += n
		}
	}
	for ; j < p.n; j += s.NR {
		width := min(s.NR, p.n-j)
		f, _ := s.For(width)
		f(p.m, p.k, &p.a.v[0], 4*p.a.rs, 4*p.a.cs, 0, &p.b.v[j], 4*p.b.rs, &p.c.v[j], 4*p.c.rs, use, 1<<width-1)
	}
	return true
}

// dots computes p from a B whose columns are contiguous: each element is a dot
// product of two vectors that lie in order.
func (p *product) dots(s *kernel.Set, w *workspace) {
	use, j := p.use(), 0
	for _, f := range s.Dots[p.m-1] {
		n := (p.n - j) / f.Cols * f.Cols
		if n == 0 {
			continue
		}
		if p.c.cs == 1 {
			f.F(n, p.k, &p.a.v[0], 4*p.a.rs, 4*p.a.cs, &p.b.v[j*p.b.cs], 4*p.b.cs, &p.c.v[j], 4*p.c.rs, use)
			j += n
			continue
		}
		for end := j + n; j < end; j += f.Cols {
			p.dotsAside(w, f, j, f.Cols, p.b.v[j*p.b.cs:], p.b.cs, use)
		}
	}
	rest := p.n - j
	if rest == 0 {
		return
	}
	// Eight columns are read: copies of those that are there, before anything.
	f := s.Dots[p.m-1][len(s.Dots[p.m-1])-1]
	for i := range rest {
		copy(w.b[i*p.k:(i+1)*p.k], p.b.v[(j+i)*p.b.cs:])
	}
	p.dotsAside(w, f, j, rest, w.b, p.k, use)
}

// dotsAside computes n columns of C from column j on, by way of a tile.
func (p *product) dotsAside(w *workspace, f kernel.FewOf, j, n int, b []float32, rsb int, use uint64) {
	tile := w.tile[:p.m*f.Cols]
	if use != kernel.Store {
		for i := range p.m {
			for l := range n {
				tile[i*f.Cols+l] = p.c.v[i*p.c.rs+(j+l)*p.c.cs]
			}
		}
	}
	f.F(f.Cols, p.k, &p.a.v[0], 4*p.a.rs, 4*p.a.cs, &b[0], 4*rsb, &tile[0], 4*f.Cols, use)
	for i := range p.m {
		for l := range n {
			p.c.v[i*p.c.rs+(j+l)*p.c.cs] = tile[i*f.Cols+l]
		}
	}
}
