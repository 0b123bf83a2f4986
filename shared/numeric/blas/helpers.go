package blas

import (
	"runtime"
	"sync/atomic"
)

// patience is how many times a goroutine yields without finding a job, about 100 ns each,
// before it stops checking. Waking a sleeping goroutine takes about 40 µs.
const patience = 500

// workers is a set of goroutines that run jobs. After a job, a goroutine checks for
// another one for a while, then ends. No goroutine stays, so none leaks.
//
// Invariant: the number of goroutines that are checking equals waiting plus the number of
// offers. A caller that offers a job first takes one from waiting, so some goroutine finds
// every offer.
type workers struct {
	waiting atomic.Int32
	offers  [8]atomic.Pointer[job]
}

var helpers workers

// start gives j to a goroutine that is checking for a job, or starts a new goroutine.
func (c *workers) start(j *job) {
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

// claim takes one from waiting. It returns false if waiting is 0.
func (c *workers) claim() bool {
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

// withdraw removes the offer of j. It returns false if j was not on offer.
func (c *workers) withdraw(j *job) bool {
	for i := range c.offers {
		if c.offers[i].CompareAndSwap(j, nil) {
			c.waiting.Add(1)
			return true
		}
	}
	return false
}

// work runs j, and then further jobs until none was offered for a while.
func (c *workers) work(j *job) {
	for j != nil {
		j.run()
		j = c.findJob()
	}
}

// findJob returns an offered job, or nil if there was none for a while.
func (c *workers) findJob() *job {
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
