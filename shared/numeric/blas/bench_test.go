package blas

import (
	"fmt"
	"testing"

	"gonum.org/v1/gonum/blas"
	"gonum.org/v1/gonum/blas/gonum"

	"tributary/shared/numeric/isa"
)

// BenchmarkSgemm reports GFLOP/s of all instruction sets and of gonum's own code. It
// measures squares and the three products of a dense layer: y = x Wᵀ, dW = dyᵀ x and dx =
// dy W.
func BenchmarkSgemm(b *testing.B) {
	type shape struct {
		tA, tB  blas.Transpose
		m, n, k int
	}
	var shapes []shape
	for _, n := range []int{128, 256, 512, 1024} {
		shapes = append(shapes, shape{blas.NoTrans, blas.NoTrans, n, n, n})
	}
	for _, s := range [][3]int{{1, 10, 64}, {64, 10, 128}, {64, 128, 784}, {256, 2048, 784}} {
		rows, out, in := s[0], s[1], s[2]
		shapes = append(shapes, shape{blas.NoTrans, blas.Trans, rows, out, in},
			shape{blas.Trans, blas.NoTrans, out, in, rows}, shape{blas.NoTrans, blas.NoTrans, rows, in, out})
	}
	r := random(11)
	for _, s := range shapes {
		x, y, z := r.floats(s.m*s.k, 0), r.floats(s.k*s.n, 0), make([]float32, s.m*s.n)
		_, lda := stored(s.tA, s.m, s.k)
		_, ldb := stored(s.tB, s.k, s.n)
		run := func(name string, f blas.Float32Level3) {
			b.Run(fmt.Sprintf("%c%c/%dx%dx%d/%s", s.tA, s.tB, s.m, s.n, s.k, name), func(b *testing.B) {
				b.ReportAllocs()
				for b.Loop() {
					f.Sgemm(s.tA, s.tB, s.m, s.n, s.k, 1, x, lda, y, ldb, 0, z, s.n)
				}
				flop := 2 * float64(s.m) * float64(s.n) * float64(s.k) * float64(b.N)
				b.ReportMetric(flop/float64(b.Elapsed().Nanoseconds()), "GFLOP/s")
			})
		}
		for _, set := range isa.Available() {
			run(string(set), Implementation{Set: set})
		}
		run("gonum", gonum.Implementation{})
	}
}

// BenchmarkThreads reports the gain of more goroutines.
func BenchmarkThreads(b *testing.B) {
	r := random(12)
	for _, n := range []int{256, 512, 1024} {
		x, y, z := r.floats(n*n, 0), r.floats(n*n, 0), make([]float32, n*n)
		for _, threads := range []int{1, 2} {
			b.Run(fmt.Sprintf("%d/%d", n, threads), func(b *testing.B) {
				for b.Loop() {
					Implementation{Threads: threads}.Sgemm(blas.NoTrans, blas.Trans, n, n, n, 1, x, n, y, n, 0, z, n)
				}
				b.ReportMetric(2*float64(n)*float64(n)*float64(n)*float64(b.N)/float64(b.Elapsed().Nanoseconds()), "GFLOP/s")
			})
		}
	}
}

// BenchmarkGemmAdd measures the gradient of a dense layer, dW [out, in] ← dW + dyᵀ x: as
// GemmAdd, as a product and a sum, and, for comparison, as Sgemm with β = 0 and 1.
func BenchmarkGemmAdd(b *testing.B) {
	r := random(13)
	for _, s := range [][3]int{{128, 784, 64}, {256, 784, 64}, {2048, 2048, 32}} {
		m, n, k := s[0], s[1], s[2]
		x, y, z, t := r.floats(m*k, 0), r.floats(k*n, 0), make([]float32, m*n), make([]float32, m*n)
		for _, set := range isa.Available() {
			im := Implementation{Set: set}
			sgemm := func(beta float32, c []float32) {
				im.Sgemm(blas.Trans, blas.NoTrans, m, n, k, 1, x, m, y, n, beta, c, n)
			}
			for _, way := range []struct {
				name string
				do   func()
			}{
				{"GemmAdd", func() { im.SgemmAdd(blas.Trans, blas.NoTrans, m, n, k, 1, x, m, y, n, z, n) }},
				{"product, sum", func() { sgemm(0, t); im.loops().Add(z, z, t) }},
				{"beta 0", func() { sgemm(0, z) }},
				{"beta 1", func() { sgemm(1, z) }},
			} {
				b.Run(fmt.Sprintf("%dx%dx%d/%s/%s", m, n, k, set, way.name), func(b *testing.B) {
					for b.Loop() {
						way.do()
					}
					b.ReportMetric(2*float64(m)*float64(n)*float64(k)*float64(b.N)/float64(b.Elapsed().Nanoseconds()), "GFLOP/s")
				})
			}
		}
	}
}
