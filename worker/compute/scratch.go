package compute

import (
	"slices"
	"sync"

	"tributary/shared/gradient"
)

// scratch is one running task's buffers and threads.
type scratch struct {
	*gradient.Scratch
	results [2][]float32 // partials: the one in hand, and one that is being appended
	other   bool         // the second is in hand
	others  []float32    // chunks of other nodes' partials
	bytes   int64        // that are counted for it: of the largest task so far
	filled  int64        // the call of trim before which a task last needed a good part of these
}

// room returns a buffer [n] for what is read of partials.
func (s *scratch) room(n int) []float32 {
	if cap(s.others) < n {
		s.others = make([]float32, n)
	}
	return s.others[:n]
}

// result returns a buffer [n] for a partial: another than the last time when that
// is still in use.
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

// pool keeps scratches from task to task.
type pool struct {
	most   int // that are kept
	memory *account

	mu     sync.Mutex
	free   []*scratch // the one used last at the end
	trims  int64      // calls of trim
	idle   int64      // a scratch that was last filled before this call is dropped
	closed bool
}

// borrow returns a scratch of so many threads.
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

// giveBack keeps a scratch, or ends the one that was not used for the longest.
func (p *pool) giveBack(s *scratch) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.free = append(p.free, s)
	for len(p.free) > p.most || p.closed && len(p.free) > 0 {
		p.drop(0)
	}
	p.dropIdle()
}

// trim drops the scratches that no task has filled during so many calls of it, those in
// use when they are given back.
func (p *pool) trim(calls int64) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.trims++
	p.idle = p.trims - calls
	p.dropIdle()
}

// fill notes that a task needs a good part of a scratch.
func (p *pool) fill(s *scratch) {
	p.mu.Lock()
	defer p.mu.Unlock()
	s.filled = p.trims
}

// dropIdle drops the free ones that were last filled before p.idle. p.mu is held.
func (p *pool) dropIdle() {
	for i, s := range slices.Backward(p.free) {
		if s.filled < p.idle {
			p.drop(i)
		}
	}
}

// discard ends a scratch whose task has panicked.
func (p *pool) discard(s *scratch) {
	s.Close()
	p.memory.give(s.bytes)
}

// dropOldest ends the scratch that was not used for the longest and that no task uses,
// if there is one.
func (p *pool) dropOldest() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if len(p.free) == 0 {
		return false
	}
	p.drop(0)
	return true
}

// drop ends one that is free. p.mu is held.
func (p *pool) drop(i int) {
	p.free[i].Close()
	p.memory.give(p.free[i].bytes)
	p.free = slices.Delete(p.free, i, i+1)
}

// close ends every scratch, those in use when they are given back.
func (p *pool) close() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.closed = true
	for len(p.free) > 0 {
		p.drop(0)
	}
}
