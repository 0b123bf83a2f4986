package blas

import (
	"fmt"
	"testing"

	"gonum.org/v1/gonum/blas"
	"gonum.org/v1/gonum/blas/blas32"

	"tributary/shared/numeric/isa"
)

// BenchmarkGemmTree reports GFLOP/s of dW [out, in] as a sum over leaves, and of Sgemm of
// the same shape in one chain. It measures layers of networks whose rows are samples, and
// leaves as deep as tokens or pixels make them.
func BenchmarkGemmTree(b *testing.B) {
	r := random(14)
	for _, s := range [][4]int{
		{10, 784, 8, 64},
		{256, 784, 8, 64},
		{336, 2048, 4, 64},
		{256, 768, 64, 8},
		{256, 768, 4, treeDepth + 1},
		{256, 768, 3, 64 * 64},
		{64, 27, 2, 64 * 1024},
	} {
		m, n, k := s[0], s[1], s[2]*s[3]
		bounds := make([]int, s[2]+1)
		for i := range bounds {
			bounds[i] = i * s[3]
		}
		stride := (k+15)/16*16 | 16 // does not conflict in a cache, as in package executor
		x, y, z := r.floats(m*stride, 0), r.floats(k*n, 0), make([]float32, m*n)
		a, c := blas32.General{Rows: m, Cols: k, Stride: stride, Data: x}, blas32.General{Rows: m, Cols: n, Stride: n, Data: z}
		var t Tree
		t.Reset(bounds)
		on(b, func(set isa.Set) {
			if set == isa.Go && m*n*k > 1<<27 {
				return
			}
			var space Space
			var p Panels
			p.Reset(k, n)
			p.SetRows(0, split(y, k, n))
			for _, way := range []struct {
				name string
				do   func()
			}{
				{"GemmTree", func() { GemmTree(&space, &t, 0, a, &p, c) }},
				{"Sgemm", func() {
					blas32.Gemm(blas.NoTrans, blas.NoTrans, 1, a, blas32.General{Rows: k, Cols: n, Stride: n, Data: y}, 0, c)
				}},
			} {
				b.Run(fmt.Sprintf("%dx%d/%dx%d/%s/%s", m, n, s[2], s[3], set, way.name), func(b *testing.B) {
					for b.Loop() {
						way.do()
					}
					b.ReportMetric(2*float64(m)*float64(n)*float64(k)*float64(b.N)/float64(b.Elapsed().Nanoseconds()), "GFLOP/s")
				})
			}
		})
	}
}
