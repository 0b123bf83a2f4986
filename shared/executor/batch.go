package executor

import (
	"errors"

	"tributary/shared/model"
	"tributary/shared/objective"
)

// Model is what is run.
type Model struct {
	Network   *model.Network
	Objective objective.Objective
	Weights   model.Weights
}

// targets is the number of columns of y.
func (m *Model) targets() int { return m.Objective.Targets(m.Network.Outputs()) }

// Batch is the samples that a gradient is summed over. The sum goes along the tree of its
// micro-batches: micro-batch i is samples Bounds[i] to Bounds[i+1], maybe none. Bounds[0]
// is 0 and the last bound is the number of samples.
type Batch struct {
	X      [][]float32 // B rows [Features]
	Y      []float32   // [B, Targets]
	Bounds []int
}

func (b *Batch) samples() int { return b.Bounds[len(b.Bounds)-1] }

// Hooks is what a gradient reports while it is computed; nil functions are not called.
type Hooks struct {
	// Step is called in the caller's goroutine from time to time, with the part of the
	// work that is done, of all. The gradient ends with ErrStopped when it returns false.
	Step func(done, all int) bool
	// Final is called, by one goroutine at a time but by any, when the gradient's
	// range [lo, hi) will not change any more. It holds up the work. The ranges
	// come about in the order of computation, the last layer's first.
	Final func(lo, hi int)
}

// ErrStopped is the error of a gradient that a hook has ended.
var ErrStopped = errors.New("the computation was stopped")
