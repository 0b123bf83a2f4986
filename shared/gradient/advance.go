package gradient

import (
	"tributary/shared/ledger"
	"tributary/shared/model"
	"tributary/shared/monitor"
	"tributary/shared/numeric"
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
	trained := len(root) - e.Network.Statistics()
	fold.ApplyBy(by, vectors[0], vectors[1:1+fold.Vectors()], step, root[:trained], e.Divisor(sums))
	e.average(vectors, step, root)
}

// average moves the running statistics towards those of the step. A moving average of the
// parameters has the same statistics.
func (e *Engine) average(vectors [][]float32, step int64, root []float32) {
	n := e.Network
	if n.Statistics() == 0 {
		return
	}
	_, begin, end := e.Plan.Batch(step)
	for _, i := range n.Batchwise() {
		l := n.Nodes()[i].Layer.(model.Batchwise) //nolint:forcetypeassert // Batchwise lists such nodes
		positions := float64((end - begin) * l.Output().Positions)
		for _, t := range l.Running() {
			numeric.Running(vectors[0][t.Offset:t.Offset+t.Len], root[t.Offset:t.Offset+t.Len], positions, l.Momentum())
		}
	}
	if e.Fold.Averages() {
		at := len(root) - n.Statistics()
		copy(vectors[e.Fold.Vectors()][at:], vectors[0][at:])
	}
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
