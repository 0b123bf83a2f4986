package compute

import (
	"slices"
	"sync"

	"tributary/shared/gradient"
	"tributary/shared/job"
)

// scratch holds the buffers and threads of one running task.
type scratch struct {
	*gradient.Scratch
	job     job.Ref      // that used it last
	results [2][]float32 // partials: the current one, and one that is being appended
	other   bool         // results[1] is the current one
	others  []float32    // chunks of other nodes' partials
	bytes   int64        // counted for it in the account: the need of its largest task so far
	filled  int64        // value of pool.trims when a task last needed at least 1/minUse of these bytes
}

// room returns a buffer [n] for the parts of partials that are read.
func (s *scratch) room(n int) []float32 {
	if cap(s.others) < n {
		s.others = make([]float32, n)
	}
	return s.others[:n]
}

// result returns a buffer [n] for a partial. If inUse, the last result is still in use,
// and result returns the other buffer.
func (s *scratch) result(n int, inUse bool) []float32 {
	s.other = s.other != inUse
	b := &s.results[0]
	if s.other {
		b = &s.results[1]
	}
	if cap(*b) < n {
		*b = make([]float32, n)
	}
	return (*b)[:n]
}

// pool keeps scratches between tasks.
type pool struct {
	most   int // the most scratches that are kept
	memory *account

	mu     sync.Mutex
	free   []*scratch // the most recently used one is last
	trims  int64      // the number of calls of trim so far
	idle   int64      // a scratch with a lower value of filled is dropped
	closed bool
}

// borrow returns a scratch with so many threads.
func (p *pool) borrow(threads int) *scratch {
	p.mu.Lock()
	defer p.mu.Unlock()
	for i, s := range slices.Backward(p.free) {
		if s.Team().Threads() == threads {
			p.free = slices.Delete(p.free, i, i+1)
			return s
		}
	}
	return &scratch{Scratch: gradient.NewParallelScratch(threads)}
}

// giveBack returns a scratch to the pool. If the pool is full, it drops the least
// recently used one.
func (p *pool) giveBack(s *scratch) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.free = append(p.free, s)
	for len(p.free) > p.most || p.closed && len(p.free) > 0 {
		p.drop(0)
	}
	p.dropIdle()
}

// trim drops the scratches that no task has filled during the last so many calls of trim.
// Those in use are dropped when they are given back.
func (p *pool) trim(calls int64) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.trims++
	p.idle = p.trims - calls
	p.dropIdle()
}

// fill records that a task needs at least 1/minUse of a scratch's bytes.
func (p *pool) fill(s *scratch) {
	p.mu.Lock()
	defer p.mu.Unlock()
	s.filled = p.trims
}

// dropIdle drops the free scratches whose filled is below p.idle. The caller holds p.mu.
func (p *pool) dropIdle() {
	for i, s := range slices.Backward(p.free) {
		if s.filled < p.idle {
			p.drop(i)
		}
	}
}

// discard closes a scratch whose task panicked.
func (p *pool) discard(s *scratch) {
	s.Close()
	p.memory.give(s.bytes)
}

// dropOldest drops the least recently used free scratch. It returns false if there is
// none.
func (p *pool) dropOldest() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if len(p.free) == 0 {
		return false
	}
	p.drop(0)
	return true
}

// drop closes the free scratch i. The caller holds p.mu.
func (p *pool) drop(i int) {
	p.free[i].Close()
	p.memory.give(p.free[i].bytes)
	p.free = slices.Delete(p.free, i, i+1)
}

// close drops every scratch. Those in use are dropped when they are given back.
func (p *pool) close() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.closed = true
	for len(p.free) > 0 {
		p.drop(0)
	}
}
