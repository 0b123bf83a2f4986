package gradient

import (
	"context"

	"tributary/shared/dataset"
	"tributary/shared/executor"
	"tributary/shared/ledger"
	"tributary/shared/numeric/team"
	"tributary/shared/tree"
)

// Scratch is the buffers and threads of one task at a time, reused from task to
// task.
type Scratch struct {
	team     *team.Team
	executor *executor.Executor
	rows     []dataset.RowRef
	x        [][]float32 // rows in blocks
	y        []float32
	bounds   []int       // of the node's micro-batches, in its rows
	losses   []float64   // of the node's micro-batches
	spare    [][]float32 // vectors that are not in use

	// Of the running node.
	ctx      context.Context //nolint:containedctx // of the one call that runs
	step     func(done, all int) bool
	progress func()
	told     int // times progress was called
}

// NewScratch returns empty buffers, which grow to what the tasks need, and no
// thread but the caller's.
func NewScratch() *Scratch { return scratch(nil) }

// NewParallelScratch is NewScratch with so many threads, the caller's among them. It
// must be closed. No result depends on their number.
func NewParallelScratch(threads int) *Scratch { return scratch(team.New(threads)) }

func scratch(t *team.Team) *Scratch {
	s := &Scratch{team: t, executor: executor.New(t)}
	s.step = func(done, all int) bool {
		return s.ctx.Err() == nil && s.tell((len(s.bounds)-1)*done/all)
	}
	return s
}

// Team is the threads, for other work of the same task; nil is the caller alone.
func (s *Scratch) Team() *team.Team { return s.team }

// Rouse wakes the threads for a node that is to be computed in moments.
func (s *Scratch) Rouse() { s.team.Rouse() }

// Close ends the threads. The scratch is of no use afterwards.
func (s *Scratch) Close() { s.team.Close() }

// tell calls progress until it was called times times; false when the context
// ended meanwhile.
func (s *Scratch) tell(times int) bool {
	for ; s.told < times; s.told++ {
		if s.progress == nil {
			continue
		}
		if s.ctx.Err() != nil {
			return false
		}
		s.progress()
	}
	return true
}

// Vector returns a vector [n] that is not in use.
func (s *Scratch) Vector(n int) []float32 {
	if k := len(s.spare) - 1; k >= 0 && cap(s.spare[k]) >= n {
		v := s.spare[k][:n]
		s.spare = s.spare[:k]
		return v
	}
	return make([]float32, n)
}

// Free gives a vector back, for another to take.
func (s *Scratch) Free(v []float32) { s.spare = append(s.spare, v) }

// sum returns the other sums of the node's micro-batches lo to hi: left + right.
func (s *Scratch) sum(lo, hi int) ledger.Sums {
	if hi-lo == 1 {
		return ledger.Sums{Examples: int64(s.bounds[hi] - s.bounds[lo]), Loss: s.losses[lo]}
	}
	mid := tree.Split(lo, hi)
	return s.sum(lo, mid).Add(s.sum(mid, hi))
}

func grow[T any](b []T, n int) []T {
	if cap(b) < n {
		return make([]T, n)
	}
	return b[:n]
}
