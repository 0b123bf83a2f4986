package fleet

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"tributary/shared/job"
)

// Unsupported records that a worker's program does not know what a job needs, and reports
// whether that is new. From then on the worker does not count for the job, because a
// running worker's program does not change.
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

// remove removes a worker and its records.
func (f *Fleet) remove(worker string) {
	delete(f.workers, worker)
	delete(f.failureRecords, worker)
	for ref, workers := range f.unsupported {
		if delete(workers, worker); len(workers) == 0 {
			delete(f.unsupported, ref)
		}
	}
	f.change()
}

// mostVersions is the maximum number of versions in a message.
const mostVersions = 4

// Versions returns a text with the workers' versions: "2 of v1.4.0, 1 of v1.3.9".
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
