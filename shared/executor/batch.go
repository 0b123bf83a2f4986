package executor

import (
	"errors"

	"tributary/shared/model"
	"tributary/shared/objective"
)

// Model is what the executor runs: a network, its objective and its parameters.
type Model struct {
	Network   *model.Network
	Objective objective.Objective
	Weights   model.Weights
}

// targets returns the number of columns of y.
func (m *Model) targets() int { return m.Objective.Targets(m.Network.Outputs()) }

// Batch holds the samples whose gradients are summed. The sum follows the tree of the
// micro-batches. Micro-batch i is the samples Bounds[i] to Bounds[i+1]; it may be empty.
// Bounds[0] is 0, and the last bound is the number of samples.
type Batch struct {
	X      [][]float32 // B rows [Features]
	Y      []float32   // [B, Targets]
	Bounds []int
}

func (b *Batch) samples() int { return b.Bounds[len(b.Bounds)-1] }

// Hooks are functions that a gradient calls while it is computed. Nil functions are not
// called.
type Hooks struct {
	// Step is called periodically in the caller's goroutine, with the units of work that are
	// done, of all. When Step returns false, the gradient ends with ErrStopped.
	Step func(done, all int) bool
	// Final is called when the range [lo, hi) of the gradient will not change any more. Any
	// goroutine may call it, but only one at a time. The work waits until it returns.
	// Ranges become final in the order of computation: the last layer comes first.
	Final func(lo, hi int)
}

// ErrStopped is the error of a gradient that a hook stopped.
var ErrStopped = errors.New("the computation was stopped")
