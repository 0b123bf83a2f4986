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
	"cmp"
	"maps"
	"slices"
	"time"

	"tributary/shared/job"
	"tributary/shared/notice"
)

// Patience is how long a worker may be silent before it counts as gone. Beats
// come every second.
const Patience = 3 * time.Second

// Fleet is the workers heard from lately. It is not safe for concurrent use.
type Fleet struct {
	workers  map[string]member
	trials   map[string]*Trial   // of tasks that are not done, by name
	conducts map[string]*conduct // of workers that failed a task
}

type member struct {
	slots    int
	numerics job.Numerics
	heard    time.Duration
	aside    bool // it takes no tasks for a while
}

// New returns an empty fleet.
func New() *Fleet {
	return &Fleet{workers: map[string]member{}, trials: map[string]*Trial{}, conducts: map[string]*conduct{}}
}

// Beat notes a heartbeat and reports whether the count of slots changed.
func (f *Fleet) Beat(now time.Duration, b notice.Beat) bool {
	known, ok := f.workers[b.Worker]
	if b.Leaving {
		delete(f.workers, b.Worker)
		delete(f.conducts, b.Worker)
		return ok
	}
	f.workers[b.Worker] = member{slots: b.Slots, numerics: b.Numerics, heard: now, aside: b.Aside}
	return !ok || known.slots != b.Slots || known.numerics != b.Numerics || known.aside != b.Aside
}

// Expire forgets silent workers and reports whether there were any.
func (f *Fleet) Expire(now time.Duration) bool {
	before := len(f.workers)
	maps.DeleteFunc(f.workers, func(worker string, m member) bool {
		gone := now-m.heard > Patience
		if gone {
			delete(f.conducts, worker)
		}
		return gone
	})
	return len(f.workers) != before
}

// Slots returns the slots of the workers with the given numerics that take tasks.
func (f *Fleet) Slots(n job.Numerics) int {
	slots := 0
	for _, m := range f.workers {
		if m.numerics == n && !m.aside {
			slots += m.slots
		}
	}
	return slots
}

// Team returns how many slots of one worker a task is best given, so that each
// worker's slots are used up by whole tasks: the greatest common divisor of the
// workers' slots; 0 when there are none.
func (f *Fleet) Team(n job.Numerics) int {
	team := 0
	for _, m := range f.workers {
		if m.numerics == n && !m.aside {
			team = gcd(team, m.slots)
		}
	}
	return team
}

func gcd(a, b int) int {
	for b != 0 {
		a, b = b, a%b
	}
	return a
}

// Has reports whether a worker is there.
func (f *Fleet) Has(worker string) bool {
	_, ok := f.workers[worker]
	return ok
}

// Remove drops a worker that is known to be gone, and reports whether it was there.
func (f *Fleet) Remove(worker string) bool {
	ok := f.Has(worker)
	delete(f.workers, worker)
	delete(f.conducts, worker)
	return ok
}

// Names lists the workers, in alphabetical order.
func (f *Fleet) Names() []string { return slices.Sorted(maps.Keys(f.workers)) }

// Workers returns how many workers there are.
func (f *Fleet) Workers() int { return len(f.workers) }

// Numerics lists the fingerprints in the fleet, the one with the most slots
// first, equal ones in alphabetical order.
func (f *Fleet) Numerics() []job.Numerics {
	seen := map[job.Numerics]bool{}
	for _, m := range f.workers {
		seen[m.numerics] = true
	}
	return slices.SortedFunc(maps.Keys(seen), func(a, b job.Numerics) int {
		return cmp.Or(cmp.Compare(f.Slots(b), f.Slots(a)), cmp.Compare(a, b))
	})
}
