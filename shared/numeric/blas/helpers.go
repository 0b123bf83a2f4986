package blas

import (
	"runtime"
	"sync/atomic"
)

// patience is how often a goroutine yields in vain, some 100 ns each, before it
// stops looking: waking one that sleeps takes some 40 µs.
const patience = 500

// crew is goroutines that look for another job for a while after their last, then
// end. None is kept, so none leaks.
//
// Invariant: as many look as are waiting and as there are offers. Whoever offers a
// job takes one from waiting first, so that every offer is found.
type crew struct {
	waiting atomic.Int32
	offers  [8]atomic.Pointer[job]
}

var helpers crew

// start has j done by a goroutine that looks for a job, or by a new one.
func (c *crew) start(j *job) {
	if c.claim() {
		for i := range c.offers {
			if c.offers[i].CompareAndSwap(nil, j) {
				return
			}
		}
		c.waiting.Add(1)
	}
	go j.do()
}

// claim takes one from waiting; false where none is.
func (c *crew) claim() bool {
	for {
		n := c.waiting.Load()
		if n == 0 {
			return false
		}
		if c.waiting.CompareAndSwap(n, n-1) {
			return true
		}
	}
}

// withdraw reports whether j was on offer, which it is no longer.
func (c *crew) withdraw(j *job) bool {
	for i := range c.offers {
		if c.offers[i].CompareAndSwap(j, nil) {
			c.waiting.Add(1)
			return true
		}
	}
	return false
}

// work does j, and what is offered until nothing has been for a while.
func (c *crew) work(j *job) {
	for j != nil {
		j.run()
		j = c.look()
	}
}

// look returns a job on offer, or nil when there was none for a while.
func (c *crew) look() *job {
	c.waiting.Add(1)
	for yields := 0; ; yields++ {
		for i := range c.offers {
			if j := c.offers[i].Load(); j != nil && c.offers[i].CompareAndSwap(j, nil) {
				return j
			}
		}
		if yields >= patience && c.claim() {
			return nil
		}
		runtime.Gosched()
	}
}
