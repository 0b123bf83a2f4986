// Package fleet keeps count of the workers that are alive and of their slots,
// and judges them and tasks by what fails.
//
// It owns liveness by heartbeat, the choice of numerics, the shares of jobs, when
// a task counts as poison and when a worker is set aside; it is pure: times are
// given to it. coordinator/run feeds it beats and failures and asks it.
//
// Invariant: a worker counts from its first beat until it takes leave or has
// been silent for the patience; nothing about results depends on the count.
package fleet

import (
	"maps"
	"slices"
	"time"

	"tributary/shared/job"
	"tributary/shared/notice"
)

// Patience is how long a worker may be silent before it counts as gone. Beats
// come every second.
const Patience = 3 * time.Second

// MaxWorkers bounds the workers that are kept; further ones are not heard.
const MaxWorkers = 4096

// Fleet is the workers heard from lately. It is not safe for concurrent use.
type Fleet struct {
	workers  map[string]member
	trials   map[string]*Trial   // of tasks that are not done, by name
	conducts map[string]*conduct // of workers that failed a task
	// unsupported are the workers that do not know a job. A worker in it is in workers.
	unsupported map[job.Ref]map[string]bool
	groups      map[groupOf]*group // see group; empty when workers have changed since
	numerics    []job.Numerics     // see present; nil when workers have changed since
}

type member struct {
	slots    int
	numerics job.Numerics
	version  string
	memory   int64 // for tasks, in bytes; 0: it did not say
	heard    time.Duration
	aside    bool // it takes no tasks for a while
	// capabilities are what it serves beyond the base set.
	capabilities []job.Capability
}

// same reports whether nothing is new of a worker but that it was heard.
func (m member) same(o member) bool {
	return m.slots == o.slots && m.numerics == o.numerics && m.version == o.version && m.memory == o.memory && m.aside == o.aside &&
		slices.Equal(m.capabilities, o.capabilities)
}

// New returns an empty fleet.
func New() *Fleet {
	return &Fleet{
		workers: map[string]member{}, trials: map[string]*Trial{}, conducts: map[string]*conduct{},
		unsupported: map[job.Ref]map[string]bool{}, groups: map[groupOf]*group{},
	}
}

// Beat notes a heartbeat and reports whether the count of slots changed. One that is
// out of bounds is not heard, nor is a worker more than MaxWorkers.
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
		heard: now, aside: b.Aside,
	}
	f.workers[b.Worker] = m
	if ok && known.same(m) {
		return false
	}
	f.change()
	return true
}

// Expire forgets silent workers and reports whether there were any.
func (f *Fleet) Expire(now time.Duration) bool {
	before := len(f.workers)
	for worker, m := range f.workers {
		if now-m.heard > Patience {
			f.remove(worker)
		}
	}
	return len(f.workers) < before
}

// Has reports whether a worker is there.
func (f *Fleet) Has(worker string) bool {
	_, ok := f.workers[worker]
	return ok
}

// Remove drops a worker that is known to be gone, and reports whether it was there.
func (f *Fleet) Remove(worker string) bool {
	ok := f.Has(worker)
	f.remove(worker)
	return ok
}

// Names lists the workers, in alphabetical order.
func (f *Fleet) Names() []string { return slices.Sorted(maps.Keys(f.workers)) }

// Workers returns how many workers there are.
func (f *Fleet) Workers() int { return len(f.workers) }
