package blas

import (
	"gonum.org/v1/gonum/blas"
	"gonum.org/v1/gonum/blas/blas32"

	"tributary/shared/numeric/internal/kernel"
)

// The sizes of a block of A, in rows and in depth of the chain. The block stays in the
// second-level cache while all panels of B are read. If A is transposed, each step of depth
// is on another page, so the block is less deep.
const (
	blockRows       = 336
	blockDepth      = 512
	transposedRows  = 672
	transposedDepth = 128

	blockStride = blockDepth + 16 // from row to row of a packed block; not a power of two
)

// RowsAtOnce returns how many rows of C = op(A)·B one call of [GemmPanels] should compute.
// The next operation on these rows then finds them in the cache.
func RowsAtOnce(tA blas.Transpose) int {
	if tA == blas.NoTrans {
		return blockRows
	}
	return transposedRows
}

// Space holds the buffers of one goroutine for products of panels. The zero value has no
// buffers yet. No result depends on their contents.
type Space struct{ w workspace }

// GemmPanels computes rows lo to hi of C = op(A)·B. Each element is the chain from +0, like
// Sgemm with α = 1 and β = 0.
func GemmPanels(space *Space, tA blas.Transpose, lo, hi int, a blas32.General, b, c *Panels) {
	s, view, most := b.s, matrix{a.Data, a.Stride, 1}, blockDepth
	if tA != blas.NoTrans {
		view, most = view.transposed(), transposedDepth
	}
	if b.nr != s.NR {
		p := product{m: hi - lo, n: b.Cols, k: b.Rows, alpha: 1, beta: 1}
		p.a, p.b, p.c = view.view(lo, 0), matrix{b.data, 1, b.ps}, matrix{c.data[lo:], 1, c.ps}
		p.alone(s)
		return
	}
	w := &space.w
	depth, rows := even(b.Rows, most), RowsAtOnce(tA)
	for ; lo < hi; lo += rows {
		m := min(rows, hi-lo)
		for l := 0; l < b.Rows; l += depth {
			k := min(depth, b.Rows-l)
			pa := w.blockOfA(s, view.view(lo, l), m, k, b.Len())
			use := kernel.Store
			if l > 0 {
				use = kernel.Load
			}
			for i := range b.Len() {
				f, mask := s.Wide, ^uint64(0)>>(64-s.NR)
				if 2*b.width(i) <= s.NR {
					f, mask = s.Half, mask>>(s.NR/2)
				}
				to := &c.data[i*c.ps+lo*s.NR]
				f(m, k, pa.p, pa.rs, pa.cs, pa.ps, &b.data[i*b.ps+l*s.NR], 4*s.NR, to, 4*s.NR, to, 4*s.NR, 0, use, mask)
			}
		}
	}
}

// even returns the size of the parts of a length. It is at most most; all parts except the
// last have this size.
func even(length, most int) int {
	parts := max(1, (length+most-1)/most)
	return max(1, (length+parts-1)/parts)
}

// manyPanels is the number of panels of B above which A is packed if its rows are not
// contiguous.
const manyPanels = 3

// blockOfA returns a [m, k] in the form that kernels read. It packs a if several panels
// read it and its rows would conflict in the cache or in the TLB. Otherwise it returns a in
// its own memory.
func (w *workspace) blockOfA(s *kernel.Set, a matrix, m, k, panels int) packedA {
	if panels == 1 || !a.conflicting() && (a.cs == 1 || panels <= manyPanels) {
		return packedA{&a.v[0], 4 * a.rs, 4 * a.cs, 4 * s.MR * a.rs}
	}
	if w.block == nil {
		w.block = &workspace{a: aligned((blockRows + widest) * blockStride)}
	}
	if a.cs != 1 {
		return packedA{&w.block.a[0], 4, 4 * s.MR, 4 * s.MR * w.block.packBlocks(s, a, 1, m, k)}
	}
	for i := range m {
		copy(w.block.a[i*blockStride:i*blockStride+k], a.v[i*a.rs:])
	}
	return packedA{&w.block.a[0], 4 * blockStride, 4, 4 * blockStride * s.MR}
}
