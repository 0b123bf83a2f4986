package team

import (
	"runtime"
	"sync"
	"sync/atomic"
)

// How often a goroutine looks before it sleeps: for some 60 µs by itself, which is what
// waking its thread may take, then a few times with a turn for others in between.
const (
	looks  = 96000
	yields = 20
)

// signal is a count that only grows, which goroutines wait for.
type signal struct {
	count    atomic.Int64
	sleepers atomic.Int32
	nudges   atomic.Int64
	_        [40]byte // what is waited for has a cache line of its own
	mu       sync.Mutex
	cond     sync.Cond
}

func (s *signal) init() { s.cond.L = &s.mu }

// add raises the count by one.
func (s *signal) add() { s.raise(1) }

// raise raises the count. A sleeper counts itself before it looks for the last
// time, so either it sees the new count or it is seen here.
func (s *signal) raise(by int64) {
	s.count.Add(by)
	if s.sleepers.Load() > 0 {
		s.mu.Lock()
		s.cond.Broadcast()
		s.mu.Unlock()
	}
}

// nudge makes sleepers look again for as long as they did before they slept.
func (s *signal) nudge() {
	s.nudges.Add(1)
	if s.sleepers.Load() > 0 {
		s.mu.Lock()
		s.cond.Broadcast()
		s.mu.Unlock()
	}
}

// wait returns when the count is at least least.
func (s *signal) wait(least int64) {
	for !s.look(least) {
		s.mu.Lock()
		s.sleepers.Add(1)
		for n := s.nudges.Load(); s.count.Load() < least && s.nudges.Load() == n; {
			s.cond.Wait()
		}
		s.sleepers.Add(-1)
		s.mu.Unlock()
	}
}

// look reports whether the count came to be at least least in a while.
func (s *signal) look(least int64) bool {
	for range looks {
		if s.count.Load() >= least {
			return true
		}
	}
	for range yields {
		runtime.Gosched()
		if s.count.Load() >= least {
			return true
		}
	}
	return false
}
