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

// Usable returns the part of a store's memory that jobs together may need: four fifths.
// The rest is for connections, evaluations and undeleted data of ended jobs.
func Usable(limit int64) int64 { return limit / 5 * 4 }

// Admit returns the jobs that may take steps in a store with limit bytes, and the free
// bytes that they leave. It admits the smallest needs first, and equal needs by name,
// while the sum is within the usable part. The first job that does not fit waits, and so
// do all jobs that need more. The result depends only on the arguments, so all
// coordinators admit the same jobs.
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
