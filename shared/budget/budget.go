// Package budget finds how much memory this process may take, and divides it.
//
// It owns how the limit is found, and the formula that divides it among the runtime, the
// caches and the work. It allocates nothing and refuses nothing: its callers do that. The
// serve packages of the programs call it.
//
// Invariant: the sum of the parts never exceeds the limit. An unknown limit has no parts.
package budget

import (
	"math"
	"os"
	"runtime/debug"

	"github.com/KimMachineGun/automemlimit/memlimit"
)

// Budget divides a limit among the parts of a program. The zero value has an unknown
// limit.
//
//	limit   what the machine, the control group, ulimit or --memory allow
//	heap    90 % of limit, or GOMEMLIMIT if that is less: the most that Go may hold
//	caches  for each cache what is asked for, at most a quarter of heap
//	work    heap − caches − 32 MiB for programs, connections and messages
type Budget struct {
	Limit  int64  // bytes; 0: not known
	Source string // where the limit comes from
	heap   int64
	cached int64
}

const (
	heapPercent = 90       // percentage of the limit
	cacheShare  = 4        // a cache gets at most heap / cacheShare
	own         = 32 << 20 // bytes for the program itself
)

// bound is a possible limit.
type bound struct {
	source string
	bytes  uint64
}

// Find returns the budget of this process. If asked is above 0, it is the limit in bytes;
// otherwise Find looks for a limit.
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

// least returns the lowest of the bounds; 0 if there are none.
func least(bounds []bound) (int64, string) {
	limit, source := uint64(0), ""
	for _, b := range bounds {
		if b.bytes > 0 && b.bytes < math.MaxInt64 && (limit == 0 || b.bytes < limit) {
			limit, source = b.bytes, b.source
		}
	}
	return int64(limit), source
}

// bounds lists the limits of this process. A limit that cannot be read is left out.
func bounds() []bound {
	group, _ := memlimit.FromCgroup()
	machine, _ := memlimit.FromSystem()
	return append(processBounds(), bound{"cgroup", group}, bound{"machine", machine})
}

// Apply makes the garbage collector keep the process below its heap limit, unless
// GOMEMLIMIT is set.
func (b *Budget) Apply() {
	if b.heap > 0 && os.Getenv("GOMEMLIMIT") == "" {
		debug.SetMemoryLimit(b.heap)
	}
}

// Cache returns how many bytes a cache may have that asks for so many.
func (b *Budget) Cache(asked int64) int64 {
	if b.heap > 0 {
		asked = min(asked, b.heap/cacheShare)
	}
	b.cached += asked
	return asked
}

// Work returns the bytes that are left for the work after the caches, at least 1. It
// returns 0 if the limit is not known.
func (b *Budget) Work() int64 {
	if b.heap == 0 {
		return 0
	}
	return max(1, b.heap-b.cached-own)
}
