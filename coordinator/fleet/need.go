package fleet

import (
	"cmp"
	"maps"
	"math"
	"slices"

	"tributary/shared/job"
)

// Need is what a job needs of a worker. Only workers that meet it count for the job.
type Need struct {
	Job job.Ref // the job, for the check of unsupported workers; see Unsupported
	// Memory is in bytes. 0 means unknown and fits any worker. Any need fits a worker
	// that did not report its memory.
	Memory int64
	// Class is the class of the job's tasks; see Fleet.Class.
	Class job.Class
}

// group holds the workers of one arithmetic that serve a class and know a job, ordered by
// memory. Index i is about the workers with at least memory[i].
type group struct {
	memory  []int64 // ascending, without repetition
	workers []int
	slots   []int // slots of the workers that take tasks
	team    []int // greatest common divisor of these slots
	known   int64 // the largest reported memory
}

// groupOf is the key of a group.
type groupOf struct {
	numerics job.Numerics
	class    job.Class
	job      job.Ref // set only if some workers do not know the job
}

// group returns the workers with the given numerics that serve a class and know a job. It
// builds the group only after workers have changed.
func (f *Fleet) group(n job.Numerics, class job.Class, of job.Ref) *group {
	key := groupOf{numerics: n, class: class}
	if len(f.unsupported[of]) > 0 {
		key.job = of
	}
	g := f.groups[key]
	if g == nil {
		g = f.gather(key)
		f.groups[key] = g
	}
	return g
}

// gather builds a group.
func (f *Fleet) gather(key groupOf) *group {
	var all []member
	for name, m := range f.workers {
		if m.numerics != key.numerics || !key.class.Within(m.capabilities) || f.unsupported[key.job][name] {
			continue
		}
		if m.memory == 0 {
			m.memory = math.MaxInt64
		}
		all = append(all, m)
	}
	slices.SortFunc(all, func(a, b member) int { return cmp.Compare(b.memory, a.memory) })
	g, slots, team := new(group), 0, 0
	for i, m := range all {
		if !m.aside {
			slots, team = slots+m.slots, gcd(team, m.slots)
		}
		if m.memory < math.MaxInt64 {
			g.known = max(g.known, m.memory)
		}
		if i+1 == len(all) || all[i+1].memory != m.memory {
			g.memory, g.workers = append(g.memory, m.memory), append(g.workers, i+1)
			g.slots, g.team = append(g.slots, slots), append(g.team, team)
		}
	}
	slices.Reverse(g.memory)
	slices.Reverse(g.workers)
	slices.Reverse(g.slots)
	slices.Reverse(g.team)
	return g
}

// change discards the groups after a change of the workers.
func (f *Fleet) change() {
	clear(f.groups)
	f.numerics = nil
}

// holding returns the index of the workers that can hold a job, len(memory) if there are
// none.
func (g *group) holding(need int64) int {
	i, _ := slices.BinarySearch(g.memory, need)
	return i
}

// able returns the number of workers that can hold a job.
func (g *group) able(need int64) int {
	if i := g.holding(need); i < len(g.workers) {
		return g.workers[i]
	}
	return 0
}

// Class returns the class in which a job's tasks are published. It is the job's class. If
// a worker that can hold the job does not serve that class, the result has no memory
// class. Such a worker has a version without memory classes or does not know its memory.
// Workers that are too small then hand tasks back.
func (f *Fleet) Class(n job.Numerics, need Need) job.Class {
	rough := need.Class.AnyMemory()
	if served := f.group(n, need.Class, need.Job).able(need.Memory); served > 0 && served == f.group(n, rough, need.Job).able(need.Memory) {
		return need.Class
	}
	return rough
}

// able returns the group of workers with the given numerics that take a job's tasks, and
// the index of those that can hold it. ok is false if there are none.
func (f *Fleet) able(n job.Numerics, need Need) (g *group, place int, ok bool) {
	g = f.group(n, f.Class(n, need), need.Job)
	place = g.holding(need.Memory)
	return g, place, place < len(g.memory)
}

// Serves reports whether a worker of any numerics serves a class.
func (f *Fleet) Serves(class job.Class) bool {
	for _, m := range f.workers {
		if class.Within(m.capabilities) {
			return true
		}
	}
	return false
}

// Slots returns the slots of the workers with the given numerics that take tasks and meet
// the need.
func (f *Fleet) Slots(n job.Numerics, need Need) int {
	if g, i, ok := f.able(n, need); ok {
		return g.slots[i]
	}
	return 0
}

// Team returns the number of slots of one worker for each task: the greatest common
// divisor of the slots of the workers that meet the need. So whole tasks use all slots of
// each worker. It returns 0 if no worker meets the need.
func (f *Fleet) Team(n job.Numerics, need Need) int {
	if g, i, ok := f.able(n, need); ok {
		return g.team[i]
	}
	return 0
}

// Numerics returns the fingerprints of the workers that meet the need, by descending
// number of slots, and equal ones in alphabetical order.
func (f *Fleet) Numerics(need Need) []job.Numerics {
	holding := map[job.Numerics]int{} // slots
	for _, n := range f.present() {
		if g, i, ok := f.able(n, need); ok {
			holding[n] = g.slots[i]
		}
	}
	return slices.SortedFunc(maps.Keys(holding), func(a, b job.Numerics) int {
		return cmp.Or(cmp.Compare(holding[b], holding[a]), cmp.Compare(a, b))
	})
}

// present returns the fingerprints of all workers.
func (f *Fleet) present() []job.Numerics {
	if f.numerics == nil {
		seen := map[job.Numerics]bool{}
		for _, m := range f.workers {
			seen[m.numerics] = true
		}
		f.numerics = slices.Collect(maps.Keys(seen))
	}
	return f.numerics
}

// Largest returns the number of workers with the given numerics, "" for any, and the
// largest memory that one of them reported.
func (f *Fleet) Largest(n job.Numerics) (workers int, memory int64) {
	for _, of := range f.present() {
		if n == "" || n == of {
			g := f.group(of, "", job.Ref{})
			workers, memory = workers+g.able(0), max(memory, g.known)
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
