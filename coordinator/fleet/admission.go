package fleet

import (
	"cmp"
	"slices"

	"tributary/shared/job"
)

// Demand is the memory, in bytes, that a job needs in the ledger's store.
type Demand struct {
	Ref  job.Ref
	Need int64
}

// Usable is the part of a store's memory that jobs may need together: four fifths. The
// rest is for connections, evaluations, and what jobs that ended have not deleted yet.
func Usable(limit int64) int64 { return limit / 5 * 4 }

// Admit says which jobs may take steps in a store with so much memory: the smallest
// first, equal ones by name, while what they need is at most the usable part. A job that
// needs more than is left waits, and so do all that need more than it. It depends on its
// arguments alone, so that all coordinators admit the same jobs.
func Admit(limit int64, demands []Demand) (admitted []Demand, free int64) {
	demands = slices.SortedFunc(slices.Values(demands), func(a, b Demand) int {
		return cmp.Or(cmp.Compare(a.Need, b.Need), cmp.Compare(a.Ref.Job, b.Ref.Job), cmp.Compare(a.Ref.Run, b.Ref.Run))
	})
	free = Usable(limit)
	for i, d := range demands {
		if d.Need > free {
			return demands[:i], free
		}
		free -= max(0, d.Need)
	}
	return demands, free
}
