package blas

import (
	"gonum.org/v1/gonum/blas"
	"gonum.org/v1/gonum/blas/blas32"

	"tributary/shared/numeric/internal/kernel"
)

// RowBlock is how many rows of a product are best computed at a time: a block of
// A that stays in the second-level cache.
const RowBlock = mc

// GemmPanels is rows lo to hi of C = op(A)·B, each element the chain from +0 as
// Sgemm with α = 1 and β = 0 has it.
func GemmPanels(tA blas.Transpose, lo, hi int, a blas32.General, b, c *Panels) {
	s, view := b.s, matrix{a.Data, a.Stride, 1}
	if tA != blas.NoTrans {
		view = view.transposed()
	}
	w := workspaces.Get().(*workspace)
	for ; lo < hi; lo += mc {
		m := min(mc, hi-lo)
		depth := even(b.Rows, kc)
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
				f(m, k, pa.p, pa.rs, pa.cs, pa.ps, &b.data[i*b.ps+l*s.NR], 4*s.NR, &c.data[i*c.ps+lo*s.NR], 4*s.NR, use, mask)
			}
		}
	}
	workspaces.Put(w)
}

// even returns the length of the parts of at most most that a length is cut into,
// all but the last as long as that.
func even(length, most int) int {
	parts := max(1, (length+most-1)/most)
	return max(1, (length+parts-1)/parts)
}

// blockOfA returns a [m, k] as kernels take it: where it lies, or packed when it
// is read for several panels and would meet itself in the cache.
func (w *workspace) blockOfA(s *kernel.Set, a matrix, m, k, panels int) packedA {
	if panels > 1 && a.conflicting() {
		return w.packA(s, a, 1, m, k)
	}
	return packedA{&a.v[0], 4 * a.rs, 4 * a.cs, 4 * s.MR * a.rs}
}
