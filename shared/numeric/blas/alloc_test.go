//go:build !race

package blas

import (
	"testing"

	"github.com/stretchr/testify/require"
	"gonum.org/v1/gonum/blas"

	"tributary/shared/numeric/isa"
)

// With the race detector on, sync.Pool forgets what it is given.
func TestNoAllocationInTheSteadyState(t *testing.T) {
	r := random(4)
	a, b, c := r.floats(256*256, 0), r.floats(256*256, 0), make([]float32, 256*256)
	for _, s := range isa.Available() {
		for threads := range 3 {
			im := Implementation{Set: s, Threads: threads}
			allocs := testing.AllocsPerRun(20, func() {
				im.Sgemm(blas.NoTrans, blas.Trans, 256, 256, 40, 1, a, 256, b, 256, 0, c, 256)
				im.SgemmAdd(blas.NoTrans, blas.NoTrans, 30, 30, 300, 1, a, 300, b, 32, c, 256)
				im.Sgemv(blas.NoTrans, 256, 256, 1, a, 256, b, 1, 0, c, 1)
				im.Sger(100, 100, 1, a, 2, b, -1, c, 256)
				im.Saxpy(100, im.Sdot(100, a, 2, b, 1)+im.Snrm2(100, a, 2)+im.Sasum(100, a, 1), a, 1, c, 2)
			})
			require.Less(t, allocs, 1.0, "%s, %d threads", s, threads)
		}
	}
}
