package gradient

import (
	"tributary/shared/ledger"
	"tributary/shared/monitor"
	"tributary/shared/numeric/team"
)

// The training state after a step is a list of vectors [P]: the parameters, those of the
// optimizer (see optim.Fold), and, if the model gets the parameters of the best evaluation,
// these parameters. The state after t steps follows from the root gradients of the steps
// before t and from the evaluations after less than t steps.

// Vectors returns the number of vectors of the training state.
func (e *Engine) Vectors() int {
	n := 1 + e.Fold.Vectors()
	if e.Plan.Spec.EarlyStopping.RestoresBest() {
		n++
	}
	return n
}

// Advance folds the root gradient [P] of a step into the training state, with the threads
// of the team by (nil: without a team). step is the number of steps folded before it. m
// knows the evaluations after at most step steps; it is nil if nothing follows from them.
func (e *Engine) Advance(by *team.Team, vectors [][]float32, step int64, m *monitor.Monitor, root []float32, sums ledger.Sums) {
	fold := e.Fold
	if m != nil {
		fold = fold.Reduced(m.Reductions(step))
		if m.Known() == step && m.Keeps() {
			copy(vectors[1+fold.Vectors()], e.current(vectors))
		}
	}
	fold.ApplyBy(by, vectors[0], vectors[1:1+fold.Vectors()], step, root, e.Divisor(sums))
}

// Answering returns the parameters [P] with which the model answers, if the best evaluation
// is the one after best steps and the vectors are the training state after step steps.
// For best = step, these are the current parameters, or their moving average.
func (e *Engine) Answering(vectors [][]float32, step, best int64) []float32 {
	if best == step || !e.Plan.Spec.EarlyStopping.RestoresBest() {
		return e.current(vectors)
	}
	return vectors[1+e.Fold.Vectors()]
}

// current returns the parameters, or their moving average if there is one.
func (e *Engine) current(vectors [][]float32) []float32 {
	if e.Fold.Averages() {
		return vectors[e.Fold.Vectors()]
	}
	return vectors[0]
}

// Rate returns the learning rate of the step after so many steps. m knows the evaluations
// before it; it is nil if nothing follows from them.
func (e *Engine) Rate(m *monitor.Monitor, step int64) float64 {
	if m == nil {
		return e.Fold.Rate(step)
	}
	return e.Fold.Reduced(m.Reductions(step)).Rate(step)
}
