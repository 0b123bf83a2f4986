package team

import (
	"runtime"
	"sync"
	"sync/atomic"
)

// How often a goroutine checks the count before it sleeps. First it spins for about 60 µs,
// which is about the time to wake its thread. Then it checks a few times more, and lets
// other goroutines run in between.
const (
	spins  = 96000
	yields = 20
)

// signal is a count that only grows. Goroutines wait until it reaches a value.
type signal struct {
	count    atomic.Int64
	sleepers atomic.Int32
	nudges   atomic.Int64
	_        [40]byte // fills the cache line of the fields above
	mu       sync.Mutex
	cond     sync.Cond
}

func (s *signal) init() { s.cond.L = &s.mu }

// add raises the count by one.
func (s *signal) add() { s.raise(1) }

// raise adds by to the count and wakes sleepers. A sleeper counts itself in sleepers before
// it checks the count for the last time. Therefore either the sleeper sees the new count,
// or raise sees the sleeper.
func (s *signal) raise(by int64) {
	s.count.Add(by)
	if s.sleepers.Load() > 0 {
		s.mu.Lock()
		s.cond.Broadcast()
		s.mu.Unlock()
	}
}

// nudge makes sleepers check the count again, for as long as they did before they slept.
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
	for !s.poll(least) {
		s.mu.Lock()
		s.sleepers.Add(1)
		for n := s.nudges.Load(); s.count.Load() < least && s.nudges.Load() == n; {
			s.cond.Wait()
		}
		s.sleepers.Add(-1)
		s.mu.Unlock()
	}
}

// poll reports whether the count reached least while it was checking.
func (s *signal) poll(least int64) bool {
	for range spins {
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
