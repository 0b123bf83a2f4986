package fleet

import (
	"cmp"
	"maps"
	"math"
	"slices"

	"tributary/shared/job"
)

// A job needs so much memory in a worker, and only workers that have it count for the job.
// A need of 0 is not known and fits anywhere, as anything fits a worker that did not say
// what it has.

// group is the workers of one arithmetic, by memory: place i is about those with at
// least memory[i].
type group struct {
	memory []int64 // ascending, each once
	slots  []int   // of those that take tasks
	team   []int   // greatest common divisor of their slots
	known  int64   // the most that a worker said it has
	count  int     // workers
}

// group returns the workers with the given numerics, nil when there are none.
func (f *Fleet) group(n job.Numerics) *group {
	if f.groups == nil {
		f.regroup()
	}
	return f.groups[n]
}

// regroup makes all groups, at once: it is done only when workers have changed.
func (f *Fleet) regroup() {
	members := map[job.Numerics][]member{}
	for _, m := range f.workers {
		if m.memory == 0 {
			m.memory = math.MaxInt64
		}
		members[m.numerics] = append(members[m.numerics], m)
	}
	f.groups = make(map[job.Numerics]*group, len(members))
	for n, all := range members {
		slices.SortFunc(all, func(a, b member) int { return cmp.Compare(b.memory, a.memory) })
		g, slots, team := &group{count: len(all)}, 0, 0
		for i, m := range all {
			if !m.aside {
				slots, team = slots+m.slots, gcd(team, m.slots)
			}
			if m.memory < math.MaxInt64 {
				g.known = max(g.known, m.memory)
			}
			if i+1 == len(all) || all[i+1].memory != m.memory {
				g.memory, g.slots, g.team = append(g.memory, m.memory), append(g.slots, slots), append(g.team, team)
			}
		}
		slices.Reverse(g.memory)
		slices.Reverse(g.slots)
		slices.Reverse(g.team)
		f.groups[n] = g
	}
}

// holding is the place of the workers that can hold a job, len(memory) when there are none.
func (g *group) holding(need int64) int {
	i, _ := slices.BinarySearch(g.memory, need)
	return i
}

// Slots returns the slots of the workers with the given numerics that take tasks and can
// hold a job of that need.
func (f *Fleet) Slots(n job.Numerics, need int64) int {
	if g := f.group(n); g != nil {
		if i := g.holding(need); i < len(g.slots) {
			return g.slots[i]
		}
	}
	return 0
}

// Team returns how many slots of one worker a task is best given, so that each
// worker's slots are used up by whole tasks: the greatest common divisor of the slots of
// the workers that can hold the job; 0 when there are none.
func (f *Fleet) Team(n job.Numerics, need int64) int {
	if g := f.group(n); g != nil {
		if i := g.holding(need); i < len(g.team) {
			return g.team[i]
		}
	}
	return 0
}

// Numerics lists the fingerprints of the workers that can hold a job of that need, the one
// with the most slots first, equal ones in alphabetical order.
func (f *Fleet) Numerics(need int64) []job.Numerics {
	if f.groups == nil {
		f.regroup()
	}
	holding := map[job.Numerics]int{} // slots
	for n, g := range f.groups {
		if i := g.holding(need); i < len(g.slots) {
			holding[n] = g.slots[i]
		}
	}
	return slices.SortedFunc(maps.Keys(holding), func(a, b job.Numerics) int {
		return cmp.Or(cmp.Compare(holding[b], holding[a]), cmp.Compare(a, b))
	})
}

// Largest returns how many workers there are with the given numerics, "" for any, and the
// most memory that one of them said it has.
func (f *Fleet) Largest(n job.Numerics) (workers int, memory int64) {
	if f.groups == nil {
		f.regroup()
	}
	for of, g := range f.groups {
		if n == "" || n == of {
			workers, memory = workers+g.count, max(memory, g.known)
		}
	}
	return workers, memory
}

func gcd(a, b int) int {
	for b != 0 {
		a, b = b, a%b
	}
	return a
}
