package optim

import (
	"tributary/shared/job"
	"tributary/shared/numeric"
)

// Penalty is a penalty l1·Σ|w| + l2·Σw² on a range of the parameters.
type Penalty struct {
	Range
	job.Regularizer
}

// Penalizing returns the fold with penalties, whose ranges are in rising order. It adds their
// gradient to that of the loss, before anything else. They do not go together with a limit
// of the gradient's norm.
func (f *Fold) Penalizing(penalties ...Penalty) *Fold {
	g := *f
	g.penalties = penalties
	return &g
}

// penalize adds the gradient of the penalties to g, which begins at parameter lo.
func (f *Fold) penalize(g, params []float32, lo int) {
	hi := lo + len(g)
	for _, p := range f.penalties {
		if from, to := max(p.Lo, lo), min(p.Hi, hi); from < to {
			numeric.Penalize(g[from-lo:to-lo], params[from:to], float32(p.L1), float32(2*p.L2))
		}
	}
}
