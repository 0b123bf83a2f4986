package gradient

import (
	"context"

	"tributary/shared/dataset"
	"tributary/shared/executor"
	"tributary/shared/ledger"
	"tributary/shared/model"
	"tributary/shared/numeric/team"
	"tributary/shared/tree"
)

// Scratch holds the buffers and threads of one task at a time. Tasks reuse it one after the
// other.
type Scratch struct {
	team     *team.Team
	executor *executor.Executor
	rows     []dataset.RowRef
	gathered           // the samples of these rows
	bounds   []int     // of the node's micro-batches, as offsets into its rows
	losses   []float64 // of the node's micro-batches
	terms    []int64   // of the node's micro-batches
	training model.Training
	spare    [][]float32 // vectors that are not in use

	// State of the node that is being computed.
	ctx      context.Context //nolint:containedctx // of the one call that runs
	step     func(done, all int) bool
	progress func()
	told     int // how often progress was called
}

// NewScratch returns empty buffers, which grow to what the tasks need. It has no thread
// except the caller's.
func NewScratch() *Scratch { return scratch(nil) }

// NewParallelScratch is NewScratch with the given number of threads, including the
// caller's. The caller must call Close. No result depends on the number of threads.
func NewParallelScratch(threads int) *Scratch { return scratch(team.New(threads)) }

func scratch(t *team.Team) *Scratch {
	s := &Scratch{team: t, executor: executor.New(t)}
	s.step = func(done, all int) bool {
		return s.ctx.Err() == nil && s.tell((len(s.bounds)-1)*done/all)
	}
	return s
}

// Team returns the threads, for other work of the same task. nil means only the caller's
// thread.
func (s *Scratch) Team() *team.Team { return s.team }

// Rouse wakes the threads for a node that will be computed in a moment.
func (s *Scratch) Rouse() { s.team.Rouse() }

// Close ends the threads. The scratch cannot be used afterwards.
func (s *Scratch) Close() { s.team.Close() }

// tell calls progress until it has been called the given number of times. It returns false
// if the context ended first.
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

// Free returns a vector to the scratch for reuse.
func (s *Scratch) Free(v []float32) { s.spare = append(s.spare, v) }

// sum returns the other sums of the node's micro-batches lo to hi, added left + right along
// the tree.
func (s *Scratch) sum(lo, hi int) ledger.Sums {
	if hi-lo == 1 {
		return ledger.Sums{Examples: s.terms[lo], Loss: s.losses[lo]}
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
