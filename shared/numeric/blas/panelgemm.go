package blas

import (
	"gonum.org/v1/gonum/blas"
	"gonum.org/v1/gonum/blas/blas32"

	"tributary/shared/numeric/internal/kernel"
)

// A block of A, rows × depth of the chain, stays in the second-level cache while
// all panels of B pass by. Transposed, its elements come from as many pages as it
// is deep, so it is flat.
const (
	blockRows   = 336
	blockDepth  = 512
	turnedRows  = 672
	turnedDepth = 128

	blockStride = blockDepth + 16 // from row to row of a packed block: no power of two
)

// RowsAtOnce is how many rows of C = op(A)·B are best computed by a call of
// [GemmPanels]: what is done to them next finds them in the cache.
func RowsAtOnce(tA blas.Transpose) int {
	if tA == blas.NoTrans {
		return blockRows
	}
	return turnedRows
}

// Space is the buffers of one goroutine for products of panels; the zero value has
// none yet. What they hold enters no result.
type Space struct{ w workspace }

// GemmPanels is rows lo to hi of C = op(A)·B, each element the chain from +0 as
// Sgemm with α = 1 and β = 0 has it.
func GemmPanels(space *Space, tA blas.Transpose, lo, hi int, a blas32.General, b, c *Panels) {
	s, view, most := b.s, matrix{a.Data, a.Stride, 1}, blockDepth
	if tA != blas.NoTrans {
		view, most = view.transposed(), turnedDepth
	}
	if b.nr != s.NR {
		p := product{m: hi - lo, n: b.Cols, k: b.Rows, alpha: 1, beta: 1}
		p.a, p.b, p.c = view.part(lo, 0), matrix{b.data, 1, b.ps}, matrix{c.data[lo:], 1, c.ps}
		p.alone(s)
		return
	}
	w := &space.w
	depth, rows := even(b.Rows, most), RowsAtOnce(tA)
	for ; lo < hi; lo += rows {
		m := min(rows, hi-lo)
		for l := 0; l < b.Rows; l += depth {
			k := min(depth, b.Rows-l)
			pa := w.blockOfA(s, view.part(lo, l), m, k, b.Len())
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

// even returns the length of the parts of at most most that a length is cut into,
// all but the last as long as that.
func even(length, most int) int {
	parts := max(1, (length+most-1)/most)
	return max(1, (length+parts-1)/parts)
}

// manyPanels is how many panels of B make it worth to pack A when its rows are not
// contiguous.
const manyPanels = 3

// blockOfA returns a [m, k] as kernels take it: where it lies, or packed when it
// is read for several panels and would meet itself in the cache or in the list of
// pages.
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
