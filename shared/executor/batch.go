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
	// Masked makes a term whose class is [job.Ignored] count as no term.
	Masked bool
}

// targets returns how many numbers of y a sample has.
func (m *Model) targets() int {
	terms, outputs := objective.Terms(m.Objective, m.Network.Output().Positions, m.Network.Output().Units)
	return terms * m.Objective.Targets(outputs)
}

// Batch holds the samples whose gradients are summed. The sum follows the tree of the
// micro-batches. Micro-batch i is the samples Bounds[i] to Bounds[i+1]; it may be empty.
// Bounds[0] is 0, and the last bound is the number of samples.
type Batch struct {
	X      []Field   // per input of the network
	Y      []float32 // targets: [samples, terms, Targets]
	First  int       // sample 0 of the batch is sample First of X and Y
	Bounds []int
	// Training is of sample 0 of X and Y, whatever First is.
	Training model.Training
}

// Field is one input of samples: a slice per sample, [Positions, Units]. One of the types is
// set. Int32 is for an input of integers, the others are for an input of numbers.
type Field struct {
	Float32 [][]float32
	Int32   [][]int32
	Uint8   [][]uint8
}

// Reset removes all samples. It keeps the memory, but drops the references to samples.
func (f *Field) Reset() {
	clear(f.Float32)
	clear(f.Int32)
	clear(f.Uint8)
	f.Float32, f.Int32, f.Uint8 = f.Float32[:0], f.Int32[:0], f.Uint8[:0]
}

func (b *Batch) samples() int { return b.Bounds[len(b.Bounds)-1] }

// targets returns y of the samples lo to hi.
func (b *Batch) targets(lo, hi, each int) []float32 {
	return b.Y[(b.First+lo)*each : (b.First+hi)*each]
}

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
