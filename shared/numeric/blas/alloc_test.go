//go:build !race

package blas

import (
	"runtime"
	"testing"

	"github.com/stretchr/testify/require"
	"gonum.org/v1/gonum/blas"

	"tributary/shared/numeric/isa"
)

// allocations returns the smallest number of allocations of 20 calls of f, over up to 10
// rounds. The first rounds create workspaces and goroutines until there are as many as work
// at the same time.
func allocations(f func()) uint64 {
	least := ^uint64(0)
	for i := 0; i < 10 && least > 0; i++ {
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		for range 20 {
			f()
		}
		runtime.ReadMemStats(&after)
		least = min(least, after.Mallocs-before.Mallocs)
	}
	return least
}

// With the race detector on, sync.Pool drops some of the values that it gets.
func TestNoAllocationInTheSteadyState(t *testing.T) {
	r := random(4)
	a, b, c := r.floats(256*256, 0), r.floats(256*256, 0), make([]float32, 256*256)
	for _, s := range isa.Available() {
		for threads := range 3 {
			im := Implementation{Set: s, Threads: threads}
			allocs := allocations(func() {
				im.Sgemm(blas.NoTrans, blas.Trans, 256, 256, 40, 1, a, 256, b, 256, 0, c, 256)
				im.Sgemm(blas.NoTrans, blas.Trans, 256, 6, 40, 1, a, 256, b, 256, 1, c, 256)
				im.Sgemm(blas.NoTrans, blas.Trans, 60, 10, 40, 1, a, 256, b, 256, 0, c, 256)
				im.SgemmAdd(blas.NoTrans, blas.NoTrans, 30, 30, 600, 1, a, 600, b, 32, c, 256)
				im.Sgemv(blas.NoTrans, 256, 256, 1, a, 256, b, 1, 0, c, 1)
				im.Sger(100, 100, 1, a, 2, b, -1, c, 256)
				im.Saxpy(100, im.Sdot(100, a, 2, b, 1)+im.Snrm2(100, a, 2)+im.Sasum(100, a, 1), a, 1, c, 2)
			})
			require.Less(t, allocs, uint64(20), "%s, %d threads: of 20 calls", s, threads)
		}
	}
}
