package blas

import (
	"sync"
	"unsafe"

	"tributary/shared/numeric/internal/kernel"
)

// workspace holds the buffers of one goroutine. No result depends on their contents between
// products.
type workspace struct {
	a, b, tile []float32
	sum        []float32  // a block of a product that is added to C; nil until needed
	stack      []float32  // partial sums of a tree; nil until needed
	block      *workspace // a block of A for products of panels; nil until needed
	x, y       []float32  // vectors with increments, made contiguous
}

// widest is the largest number of columns of any kernel's panel.
const widest = 32

var workspaces = sync.Pool{New: func() any {
	return &workspace{a: aligned((mc + widest) * lda), b: aligned(nc * (kc + 16)), tile: aligned(mc * widest)}
}}

// aligned returns n zeros that start at a cache line.
func aligned(n int) []float32 {
	b := make([]float32, n+15)
	skip := -(uintptr(unsafe.Pointer(&b[0])) / 4) % 16
	return b[skip : skip+uintptr(n)]
}

// packedA is a block of A in the form that kernels read. Strides are in bytes.
type packedA struct {
	p          *float32
	rs, cs, ps int
}

// packedB is a block of B in the form that kernels read. Panel i starts at p[i·ps]; its
// rows are rs elements apart.
type packedB struct {
	p      []float32
	rs, ps int
}

// lda is the distance of the rows of a packed A whose rows are contiguous. It is not a
// power of two.
const lda = kc + 16

// packA copies α·a [m, k]. If the rows are contiguous, it copies them as rows. If the
// columns are contiguous, it copies blocks of MR rows, one after the other.
func (w *workspace) packA(s *kernel.Set, a matrix, alpha float32, m, k int) packedA {
	if a.cs == 1 {
		for i := range m {
			scaled(w.a[i*lda:i*lda+k], a.v[i*a.rs:i*a.rs+k], alpha)
		}
		return packedA{&w.a[0], 4 * lda, 4, 4 * lda * s.MR}
	}
	return packedA{&w.a[0], 4, 4 * s.MR, 4 * s.MR * w.packBlocks(s, a, alpha, m, k)}
}

// packBlocks copies α·a [m, k], whose columns are contiguous, into blocks of MR rows. It
// returns the distance of blocks in columns: k + 1, so that blocks do not conflict in the
// cache.
func (w *workspace) packBlocks(s *kernel.Set, a matrix, alpha float32, m, k int) int {
	from, ps := 0, (k+1)*s.MR
	// CopyA may write beyond MR rows. The next column overwrites that, or it is in the
	// unused column between blocks. The last rows are excluded, because the memory may end
	// after them.
	if full := (m - 1) / s.MR; s.CopyA != nil && alpha == 1 && full > 0 && m-full*s.MR >= 2 {
		s.CopyA(k, full, &a.v[0], 4*a.cs, 4*s.MR, &w.a[0], 4*s.MR, 4*ps)
		from = full * s.MR
	}
	for i := from; i < m; i += s.MR {
		dst, rows := w.a[i/s.MR*ps:], min(s.MR, m-i)
		for l := range k {
			scaled(dst[l*s.MR:l*s.MR+rows], a.v[l*a.cs+i:l*a.cs+i+rows], alpha)
		}
	}
	return k + 1
}

// scaled computes dst = scale·src.
func scaled(dst, src []float32, scale float32) {
	if scale == 1 {
		copy(dst, src)
		return
	}
	for i, v := range src {
		dst[i] = float32(scale * v)
	}
}

// packB copies β·b [k, n] into panels of NR columns, or into one panel of NR/2 columns if n
// is at most that. Contents beyond n are undefined.
func (w *workspace) packB(s *kernel.Set, b matrix, beta float32, k, n int) packedB {
	nr := s.NR
	if 2*n <= nr {
		nr /= 2
	}
	out := packedB{w.b, nr, k*nr + 16} // 16: so that panels do not conflict in the cache
	full := n / s.NR * s.NR
	if b.cs == 1 {
		copyPanels(s, w.b, out.ps, b, k, full)
	}
	for j := 0; j < n; j += nr {
		dst, width := w.b[j/nr*out.ps:][:k*nr], min(nr, n-j)
		switch {
		case b.cs != 1 && s.TransposeFew != nil && width >= 4 && width < 16 && k >= 4:
			transposeFew(s, dst, nr, b.v[j*b.cs:], b.cs, width, k)
		case b.cs != 1:
			transpose(s, dst, nr, b.v[j*b.cs:], b.cs, width, k)
		case j == full:
			copyNarrow(s, dst, nr, b.view(0, j), k, width)
		}
		if beta != 1 {
			scaled(dst, dst, beta)
		}
	}
	return out
}

// copyPanels copies b [k, n] into panels of NR columns that are ps apart. n is a multiple
// of NR.
func copyPanels(s *kernel.Set, dst []float32, ps int, b matrix, k, n int) {
	if n == 0 {
		return
	}
	if s.CopyB != nil {
		s.CopyB(k, n/s.NR, &b.v[0], 4*b.rs, 4*s.NR, &dst[0], 4*s.NR, 4*ps)
		return
	}
	for l := range k {
		v := b.v[l*b.rs : l*b.rs+n]
		for at := l * s.NR; len(v) > 0; at, v = at+ps, v[s.NR:] {
			copy(dst[at:at+s.NR], v)
		}
	}
}

// copyNarrow copies b [k, width] into rows of nr. Contents beyond width are undefined.
func copyNarrow(s *kernel.Set, dst []float32, nr int, b matrix, k, width int) {
	whole := 0 // rows from which NR elements can be read
	if s.CopyB != nil && nr == s.NR && len(b.v) >= nr {
		whole = min(k, (len(b.v)-nr)/b.rs+1)
		s.CopyB(whole, 1, &b.v[0], 4*b.rs, 0, &dst[0], 4*nr, 0)
	}
	for l := whole; l < k; l++ {
		copy(dst[l*nr:], b.v[l*b.rs:l*b.rs+width])
	}
}

// transpose computes dst[j·ldd + i] = src[i·lds + j] for i < m and j < n. It works in
// blocks of 16 × 16 or 8 × 8. The last block overlaps the one before it, so that it does
// not go beyond the end.
func transpose(s *kernel.Set, dst []float32, ldd int, src []float32, lds, m, n int) {
	f, size := s.Transpose16, 16
	if f == nil || m < 16 || n < 16 {
		f, size = s.Transpose8, 8
	}
	if f == nil || m < size || n < size {
		for i := range m {
			for j, v := range src[i*lds : i*lds+n] {
				dst[j*ldd+i] = v
			}
		}
		return
	}
	for i := 0; i < m; i += size {
		i := min(i, m-size)
		f(n/size, &src[i*lds], 4*lds, 4*size, &dst[i], 4*ldd, 4*size*ldd)
		if n%size != 0 {
			f(1, &src[i*lds+n-size], 4*lds, 0, &dst[(n-size)*ldd+i], 4*ldd, 0)
		}
	}
}

// transposeFew is transpose for 4 to 15 rows and at least 4 columns. Every row of dst
// must have room for 16 elements.
func transposeFew(s *kernel.Set, dst []float32, ldd int, src []float32, lds, m, n int) {
	s.TransposeFew(n/4, m, &src[0], 4*lds, &dst[0], 4*ldd)
	if n%4 != 0 {
		s.TransposeFew(1, m, &src[n-4], 4*lds, &dst[(n-4)*ldd], 4*ldd)
	}
}

// gather copies c [m, width] into the rows of tile, which are NR apart.
func gather(s *kernel.Set, tile []float32, c matrix, m, width int) {
	if c.cs != 1 {
		transpose(s, tile, s.NR, c.v, c.cs, width, m)
		return
	}
	for i := range m {
		copy(tile[i*s.NR:i*s.NR+width], c.v[i*c.rs:])
	}
}

// scatter copies the rows of tile back to c [m, width].
func scatter(s *kernel.Set, c matrix, tile []float32, m, width int) {
	if c.cs != 1 {
		transpose(s, c.v, c.cs, tile, s.NR, m, width)
		return
	}
	for i := range m {
		copy(c.v[i*c.rs:i*c.rs+width], tile[i*s.NR:])
	}
}
