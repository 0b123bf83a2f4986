package ingest

import (
	"runtime"
	"sync"
	"sync/atomic"

	"tributary/shared/lifecycle"
)

// laneColumns is the number of columns that one goroutine takes at a time if there are many.
const laneColumns = 64

// fault is an error at a cell of a batch.
type fault struct {
	row, lane int
	err       error
}

// lanes calls each(lane) for every lane from 0 up to n, on all CPUs. Lane i reads what no
// other lane of the call writes. A lane stops at its first fault and returns the row of it.
// lanes returns the first error in the order of the rows, and of the lanes within a row.
func lanes(n int, each func(lane int) (row int, err error)) error {
	step := 1
	if n > 4*laneColumns {
		step = laneColumns
	}
	var next atomic.Int64
	var mu sync.Mutex
	var first *fault
	report := func(row, lane int, err error) {
		mu.Lock()
		defer mu.Unlock()
		if first == nil || row < first.row || row == first.row && lane < first.lane {
			first = &fault{row, lane, err}
		}
	}
	take := func() error {
		for lo := int(next.Add(int64(step))) - step; lo < n; lo = int(next.Add(int64(step))) - step {
			for lane := lo; lane < min(lo+step, n); lane++ {
				if row, err := each(lane); err != nil {
					report(row, lane, err)
				}
			}
		}
		return nil
	}
	work := func() {
		if err := lifecycle.Contain("read columns", take); err != nil { // a panic
			report(-1, 0, err)
		}
	}
	var group sync.WaitGroup
	for range min(runtime.GOMAXPROCS(0), (n+step-1)/step) - 1 {
		group.Go(work)
	}
	work()
	group.Wait()
	if first != nil {
		return first.err
	}
	return nil
}
