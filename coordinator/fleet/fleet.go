// Package fleet counts the live workers and their slots, and judges workers and tasks by
// their failures.
//
// It owns liveness by heartbeat, the choice of numerics and the shares of jobs. It
// decides when a task is poison and when a worker is set aside. It is pure and has no
// clock: the caller passes times. coordinator/run passes heartbeats and failures and asks
// for results.
//
// Invariant: a worker counts from its first heartbeat until it leaves or has been silent
// for Patience. No training result depends on the count.
package fleet

import (
	"maps"
	"slices"
	"time"

	"tributary/shared/job"
	"tributary/shared/notice"
)

// Patience is how long a worker may be silent before it counts as gone. Workers send a
// heartbeat every second.
const Patience = 3 * time.Second

// MaxWorkers bounds the known workers. The fleet ignores heartbeats of further workers.
const MaxWorkers = 4096

// Fleet holds the workers with a recent heartbeat. It is not safe for concurrent use.
type Fleet struct {
	workers        map[string]member
	trials         map[string]*Trial         // of unfinished tasks, by name
	failureRecords map[string]*failureRecord // failure records of workers, by name
	// unsupported holds the workers that do not know a job. Each of them is also in
	// workers.
	unsupported map[job.Ref]map[string]bool
	groups      map[groupOf]*group // see group; empty if workers have changed since
	numerics    []job.Numerics     // see present; nil if workers have changed since
}

type member struct {
	slots    int
	numerics job.Numerics
	version  string
	memory   int64 // for tasks, in bytes; 0: not reported
	lastBeat time.Duration
	aside    bool // it takes no tasks for a while
	// capabilities are what the worker serves beyond the base set.
	capabilities []job.Capability
}

// same reports whether two heartbeats of a worker differ only in their time.
func (m member) same(o member) bool {
	return m.slots == o.slots && m.numerics == o.numerics && m.version == o.version && m.memory == o.memory && m.aside == o.aside &&
		slices.Equal(m.capabilities, o.capabilities)
}

// New returns an empty fleet.
func New() *Fleet {
	return &Fleet{
		workers: map[string]member{}, trials: map[string]*Trial{}, failureRecords: map[string]*failureRecord{},
		unsupported: map[job.Ref]map[string]bool{}, groups: map[groupOf]*group{},
	}
}

// Beat records a heartbeat and reports whether the fleet changed. It ignores a heartbeat
// that is out of bounds and a worker beyond MaxWorkers.
func (f *Fleet) Beat(now time.Duration, b notice.Beat) bool {
	known, ok := f.workers[b.Worker]
	if b.Validate() != nil || !ok && len(f.workers) >= MaxWorkers {
		return false
	}
	if b.Leaving {
		f.remove(b.Worker)
		return ok
	}
	m := member{
		slots: b.Slots, numerics: b.Numerics, version: b.Version, memory: b.Memory, capabilities: b.Capabilities,
		lastBeat: now, aside: b.Aside,
	}
	f.workers[b.Worker] = m
	if ok && known.same(m) {
		return false
	}
	f.change()
	return true
}

// Expire removes silent workers and reports whether there were any.
func (f *Fleet) Expire(now time.Duration) bool {
	before := len(f.workers)
	for worker, m := range f.workers {
		if now-m.lastBeat > Patience {
			f.remove(worker)
		}
	}
	return len(f.workers) < before
}

// Has reports whether the fleet has the worker.
func (f *Fleet) Has(worker string) bool {
	_, ok := f.workers[worker]
	return ok
}

// Remove removes a worker that is known to be gone, and reports whether the fleet had it.
func (f *Fleet) Remove(worker string) bool {
	ok := f.Has(worker)
	f.remove(worker)
	return ok
}

// Names returns the workers in alphabetical order.
func (f *Fleet) Names() []string { return slices.Sorted(maps.Keys(f.workers)) }

// Workers returns how many workers there are.
func (f *Fleet) Workers() int { return len(f.workers) }
