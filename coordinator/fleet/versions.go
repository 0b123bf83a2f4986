package fleet

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"tributary/shared/job"
)

// Unsupported notes that a worker's program does not know what a job asks for, and reports
// whether that is news. The worker does not count for the job from then on: its program
// does not change while it lives.
func (f *Fleet) Unsupported(ref job.Ref, worker string) bool {
	if !f.Has(worker) || f.unsupported[ref][worker] {
		return false
	}
	if f.unsupported[ref] == nil {
		f.unsupported[ref] = map[string]bool{}
	}
	f.unsupported[ref][worker] = true
	f.change()
	return true
}

// remove forgets a worker.
func (f *Fleet) remove(worker string) {
	delete(f.workers, worker)
	delete(f.conducts, worker)
	for ref, workers := range f.unsupported {
		if delete(workers, worker); len(workers) == 0 {
			delete(f.unsupported, ref)
		}
	}
	f.change()
}

// mostVersions is how many versions people are told of.
const mostVersions = 4

// Versions says in words which versions the workers have: 2 of v1.4.0, 1 of v1.3.9.
func (f *Fleet) Versions() string {
	count := map[string]int{}
	for _, m := range f.workers {
		count[m.version]++
	}
	var all []string
	for _, version := range slices.Sorted(maps.Keys(count)) {
		if len(all) == mostVersions {
			all = append(all, "and others")
			break
		}
		all = append(all, fmt.Sprintf("%d of %s", count[version], version))
	}
	return strings.Join(all, ", ")
}
