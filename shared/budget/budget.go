// Package budget is how much memory this process may take, and how that is divided.
//
// It owns finding the limit and the formula by which it is divided among the
// runtime, the caches and the work. It allocates nothing and refuses nothing. The programs'
// mains call it.
//
// Invariant: the parts together are never more than the limit; a limit that is not
// known has no parts.
package budget

import (
	"math"
	"os"
	"runtime/debug"

	"github.com/KimMachineGun/automemlimit/memlimit"
)

// Budget divides a limit. The zero value's limit is not known.
//
//	limit   what the machine, the control group, ulimit or --memory allow
//	heap    90 % of that, or GOMEMLIMIT when that is less: what Go may hold
//	caches  each what is asked for, at most a quarter of heap
//	work    heap − caches − 32 MiB for programs, connections and messages
type Budget struct {
	Limit  int64  // bytes; 0: not known
	Source string // what the limit is from
	heap   int64
	cached int64
}

const (
	heapPercent = 90       // of the limit
	cacheShare  = 4        // a cache has at most one part in so many of the heap
	own         = 32 << 20 // of the program itself
)

// bound is a limit that there may be.
type bound struct {
	source string
	bytes  uint64
}

// Find returns the budget of this process. asked, when above 0, is the limit in bytes
// instead of what is found.
func Find(asked int64) *Budget {
	b := &Budget{Limit: asked, Source: "--memory"}
	if asked <= 0 {
		b.Limit, b.Source = least(bounds())
	}
	b.heap = b.Limit / 100 * heapPercent
	if soft := debug.SetMemoryLimit(-1); soft < math.MaxInt64 && (b.Limit == 0 || soft < b.heap) {
		b.heap = max(soft, 0)
		if b.Limit == 0 {
			b.Limit, b.Source = soft, "GOMEMLIMIT"
		}
	}
	return b
}

// least returns the lowest of the bounds, 0 when there are none.
func least(bounds []bound) (int64, string) {
	limit, source := uint64(0), ""
	for _, b := range bounds {
		if b.bytes > 0 && b.bytes < math.MaxInt64 && (limit == 0 || b.bytes < limit) {
			limit, source = b.bytes, b.source
		}
	}
	return int64(limit), source
}

// bounds lists the limits that there are. One that cannot be read is none.
func bounds() []bound {
	group, _ := memlimit.FromCgroup()
	machine, _ := memlimit.FromSystem()
	return append(processBounds(), bound{"cgroup", group}, bound{"machine", machine})
}

// Apply has the collector keep the process below its heap, unless GOMEMLIMIT says
// something else.
func (b *Budget) Apply() {
	if b.heap > 0 && os.Getenv("GOMEMLIMIT") == "" {
		debug.SetMemoryLimit(b.heap)
	}
}

// Cache returns how many bytes a cache for which so many are asked may have.
func (b *Budget) Cache(asked int64) int64 {
	if b.heap > 0 {
		asked = min(asked, b.heap/cacheShare)
	}
	b.cached += asked
	return asked
}

// Work is what is left for the work when the caches have theirs, at least 1; 0 when
// the limit is not known.
func (b *Budget) Work() int64 {
	if b.heap == 0 {
		return 0
	}
	return max(1, b.heap-b.cached-own)
}
