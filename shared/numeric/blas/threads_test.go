package blas

import (
	"sync"
	"testing"

	"go.uber.org/goleak"
	"gonum.org/v1/gonum/blas"
)

// Bands of rows and of columns, each large enough for a goroutine.
func TestThreads(t *testing.T) {
	r := random(4)
	gemmCase{blas.NoTrans, blas.Trans, 160, 70, 201, 1, 1, 0, 0}.check(t, &r)
	gemmCase{blas.Trans, blas.NoTrans, 45, 230, 211, 1, 0, 1, 1}.check(t, &r)
}

// Many products at the same time share their helpers, with more offers than there is room
// for. No helper stays.
func TestHelpersAreShared(t *testing.T) {
	defer goleak.VerifyNone(t)
	const m, n, k = 240, 64, 512
	r := random(15)
	a, b := r.floats(m*k, 0), r.floats(k*n, 0)
	product := func(threads int, c []float32) {
		Implementation{Threads: threads}.Sgemm(blas.NoTrans, blas.NoTrans, m, n, k, 1, a, k, b, n, 0, c, n)
	}
	want := make([]float32, m*n)
	product(1, want)
	got := make([][]float32, 6)
	var all sync.WaitGroup
	for i := range got {
		got[i] = make([]float32, m*n)
		all.Go(func() {
			for range 30 {
				clear(got[i])
				product(2+i, got[i])
			}
		})
	}
	all.Wait()
	for i, c := range got {
		same(t, want, c, "%d threads", 2+i)
	}
}

// A job that panics ends, and the goroutine that waits for its team gets the panic.
func TestAPanicOfAJobIsKept(t *testing.T) {
	var tm team
	tm.left.Store(1)
	tm.done.Add(1)
	(&job{team: &tm}).run() // without kernels
	tm.wait()
	if tm.failed.Load() == nil {
		t.Fatal("the panic is lost")
	}
}
