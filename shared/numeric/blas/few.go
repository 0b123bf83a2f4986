package blas

import "tributary/shared/numeric/internal/kernel"

// few computes p if C or its transpose has few rows. It reads A and B in their own memory.
// If few is not suitable, it returns false and does not change p.
func (p *product) few(s *kernel.Set, w *workspace) bool {
	if s.Dots == nil || p.alpha != 1 || p.beta != 1 {
		return false
	}
	m, ofRows, transposed := p.m, p.b.cs == 1, p.n < p.m
	if transposed {
		m, ofRows = p.n, p.a.rs == 1
	}
	if ofRows && m > fewRows {
		return false
	}
	q := p
	if transposed {
		t := *p
		t.transpose()
		q = &t
	}
	switch {
	case ofRows:
		q.rowsOfB(s, w)
	case q.worthDots(s):
		q.dots(s, w)
	default:
		return false
	}
	return true
}

// tiny reports whether p is so small that it is best computed without a workspace. The
// checks for a better way would cost more than they save.
func (p *product) tiny(s *kernel.Set) bool {
	return p.b.cs == 1 && p.c.cs == 1 && p.m*p.k <= leastEdge && p.n <= nc && p.k <= kc &&
		p.alpha == 1 && p.beta == 1 && s.Masked()
}

// worthDots reports whether dot products are the best way to compute p, whose columns of B
// are contiguous. If the columns of C are contiguous too, C needs an extra pass. For more
// than a few rows it is better to transpose B, provided that this is possible in blocks of
// 8 × 8.
func (p *product) worthDots(s *kernel.Set) bool {
	transposed := p.c.cs != 1
	switch {
	case p.k > mostDots || transposed && p.k < 8:
		return false
	case p.m <= fewRows:
		return true
	}
	if s.Cols != nil {
		return p.m <= mostRows && (!transposed || p.a.cs == 1)
	}
	return p.n < 16 && p.m <= mostRows && !transposed && p.k >= 16
}

// The number of rows that count as few, and the number that count as few if there are
// kernels for many columns.
const (
	fewRows  = 4
	mostRows = 7
)

// edge computes p if few columns remain after whole panels or halves of panels. It computes
// these columns as a separate product. It returns false if there are none.
func (p *product) edge(s *kernel.Set, w *workspace) bool {
	rest := p.n & (s.NR/2 - 1)
	if s.Dots == nil || rest == 0 || rest > fewRows || p.n < s.NR/2 || p.k < 8 || p.m*p.k < leastEdge || p.alpha != 1 || p.beta != 1 || p.k > mostDots {
		return false
	}
	q := *p
	q.n = p.n - rest
	q.run(s, w)
	q = *p
	q.n, q.b, q.c = rest, p.b.view(0, p.n-rest), p.c.view(0, p.n-rest)
	return q.few(s, w)
}

// leastEdge is the number of multiply-adds per column above which a separate product is
// worthwhile.
const leastEdge = 512

// mostDots is the longest chain for which eight columns of B fit in a workspace.
const mostDots = nc * (kc + 16) / 8

// use returns what a kernel does with C: Store, Load or Add.
func (p *product) use() uint64 {
	switch {
	case p.add:
		return kernel.Add
	case p.load:
		return kernel.Load
	}
	return kernel.Store
}

// tileCols returns how many columns of m rows fit in a tile, a multiple of 16.
func tileCols(m int) int { return mc * widest / m &^ 15 }

// rowsOfB computes p if the rows of B are contiguous. Its panels have as many columns as
// the accumulators hold.
func (p *product) rowsOfB(s *kernel.Set, w *workspace) {
	if p.c.cs == 1 {
		p.panelsOfRows(s)
		return
	}
	size := tileCols(p.m)
	for j := 0; j < p.n; j += size {
		q := *p
		q.n, q.b = min(size, p.n-j), p.b.view(0, j)
		c := p.c.view(0, j)
		q.c = matrix{w.tile, q.n, 1}
		if p.use() != kernel.Store {
			move(q.c, c, p.m, q.n)
		}
		q.panelsOfRows(s)
		move(c, q.c, p.m, q.n)
	}
}

// panelsOfRows computes p if the rows of B and C are contiguous. It reads A, B and C in
// their own memory.
func (p *product) panelsOfRows(s *kernel.Set) {
	use, j := p.use(), 0
	if p.m <= len(s.Rows) {
		for _, f := range s.Rows[p.m-1] {
			if n := (p.n - j) / f.Cols * f.Cols; n > 0 {
				f.F(n, p.k, &p.a.v[0], 4*p.a.rs, 4*p.a.cs, &p.b.v[j], 4*p.b.rs, &p.c.v[j], 4*p.c.rs, use, 0)
				j += n
			}
		}
	}
	for ; j < p.n; j += s.NR {
		width := min(s.NR, p.n-j)
		f, _ := s.For(width)
		f(p.m, p.k, &p.a.v[0], 4*p.a.rs, 4*p.a.cs, 4*s.MR*p.a.rs, &p.b.v[j], 4*p.b.rs,
			&p.c.v[j], 4*p.c.rs, &p.c.v[j], 4*p.c.rs, 0, use, 1<<width-1)
	}
}

// dots computes p if the columns of B are contiguous. Each element is a dot product of two
// vectors.
func (p *product) dots(s *kernel.Set, w *workspace) {
	if p.m > len(s.Dots) && s.Cols != nil {
		p.colsOfB(s, w)
		return
	}
	if p.m > len(s.Dots) {
		top, rest := *p, *p
		top.m = p.m / 2
		top.dots(s, w)
		rest.m, rest.a, rest.c = p.m-top.m, p.a.view(top.m, 0), p.c.view(top.m, 0)
		rest.dots(s, w)
		return
	}
	if p.c.cs == 1 && p.n >= 8 && (p.use() == kernel.Store || p.n%8 == 0) {
		p.dotsBy(s)
		return
	}
	p.inTile(w, 8, func(q product) { q.dotsAside(s, w) })
}

// inTile calls do for parts of the columns of p. The C of a part is in the workspace's
// tile, with room for whole grains of columns.
func (p *product) inTile(w *workspace, grain int, do func(q product)) {
	size := tileCols(p.m)
	for j := 0; j < p.n; j += size {
		q := *p
		q.n, q.b = min(size, p.n-j), p.b.view(0, j)
		c := p.c.view(0, j)
		q.c = matrix{w.tile, (q.n + grain - 1) / grain * grain, 1}
		if p.use() != kernel.Store {
			move(q.c, c, p.m, q.n)
		}
		do(q)
		move(c, q.c, p.m, q.n)
	}
}

// dotsAside is dots for a C with room for a multiple of 8 columns. It first copies the
// columns of B that remain after the last 8.
func (p *product) dotsAside(s *kernel.Set, w *workspace) {
	q, rest := *p, p.n%8
	if q.n = p.n - rest; q.n > 0 {
		q.dotsBy(s)
	}
	if rest == 0 {
		return
	}
	for i := range rest {
		copy(w.b[i*p.k:(i+1)*p.k], p.b.v[(q.n+i)*p.b.cs:])
	}
	q.b, q.c, q.n = matrix{w.b, 1, p.k}, p.c.view(0, q.n), 8
	q.dotsBy(s)
}

// dotsBy is dots for at least 8 columns of a C whose rows are contiguous. It uses groups
// with about the same number of eights of columns, because a group takes as long as its
// chains, even if it has few. If n is not a multiple of 8, some columns are computed and
// stored twice.
func (p *product) dotsBy(s *kernel.Set) {
	use, j := p.use(), 0
	call := func(f kernel.Few, n, back int) {
		f(n, p.k, &p.a.v[0], 4*p.a.rs, 4*p.a.cs, &p.b.v[j*p.b.cs], 4*p.b.cs, &p.c.v[j], 4*p.c.rs, use, back)
		j += n
	}
	if p.m <= len(s.Bulk) {
		f := s.Bulk[p.m-1]
		if n := p.n / f.Cols * f.Cols; n > 0 {
			call(f.F, n, 0)
		}
	}
	fs := s.Dots[p.m-1]
	most := len(fs)
	for eights := (p.n - j + 7) / 8; eights > 0; eights = (p.n - j + 7) / 8 {
		group, back := most, 0 // eights
		switch {
		case eights <= most:
			group, back = eights, j+8*eights-p.n
		case eights < 2*most:
			group = (eights + 1) / 2
		}
		n := 8 * group
		if eights > 2*most {
			n *= eights/most - 1
		}
		call(fs[most-group].F, n, back)
	}
}

// colsOfB is dots with kernels for any number of columns, at least 4.
func (p *product) colsOfB(s *kernel.Set, w *workspace) {
	if p.c.cs == 1 && p.n >= 4 {
		p.colsBy(s)
		return
	}
	p.inTile(w, 4, func(q product) {
		if q.n < 4 { // the contents of the missing columns do not matter
			for i := range q.n {
				copy(w.b[i*p.k:(i+1)*p.k], q.b.v[i*p.b.cs:])
			}
			q.b, q.n = matrix{w.b, 1, p.k}, 4
		}
		q.colsBy(s)
	})
}

// colsBy is colsOfB for at least 4 columns of a C whose rows are contiguous.
func (p *product) colsBy(s *kernel.Set) {
	s.Cols[p.m-len(s.Dots)-1](p.n, p.k, &p.a.v[0], 4*p.a.rs, 4*p.a.cs, &p.b.v[0], 4*p.b.cs, &p.c.v[0], 4*p.c.rs, p.use(), 0)
}

// move copies src to dst [m, n].
func move(dst, src matrix, m, n int) {
	d, s, down, across := dst.v, src.v, dst.cs, src.cs
	for i := range m {
		to, from := i*dst.rs, i*src.rs
		for range n {
			d[to] = s[from]
			to, from = to+down, from+across
		}
	}
}
