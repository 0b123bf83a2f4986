package serial

import (
	"context"
	"fmt"

	"tributary/shared/gradient"
	"tributary/shared/job"
	"tributary/shared/ledger"
	"tributary/shared/monitor"
	"tributary/shared/rounding"
	"tributary/shared/tree"
)

// Walk runs a job step by step. Each step has two halves, Compute and Fold, so that a
// caller can read a step before it is folded. A Walk is for one goroutine.
type Walk struct {
	Engine  *gradient.Engine
	Step    int64            // number of steps folded
	Vectors [][]float32      // after them: parameters, then optimizer state, then the residual of a lossy wire; each [P]
	Chain   ledger.Chain     // of the update log after these steps
	Monitor *monitor.Monitor // the evaluations after at most Step steps; nil: nothing follows from them

	// Results of Compute for step Step:
	Root  []float32 // gradient, summed over the batch [P]
	Sums  ledger.Sums
	After ledger.Chain

	residual []float32 // after step Step, with a lossy wire

	scratch *gradient.Scratch
	layout  ledger.Layout
	entry   []byte
}

// NewWalk returns a walk that starts at the parameters before the first step.
func NewWalk(e *gradient.Engine) *Walk {
	w := &Walk{Engine: e, scratch: gradient.NewScratch(), layout: e.Layout(job.Ref{}), Monitor: monitor.New(&e.Plan.Spec)}
	w.Vectors = make([][]float32, w.layout.Vectors(e.Vectors()))
	for i := range w.Vectors {
		w.Vectors[i] = make([]float32, w.layout.Params)
	}
	w.Root = make([]float32, w.layout.Params)
	e.Initial(w.Vectors[0])
	w.Chain = w.layout.Genesis()
	return w
}

// Params returns the current parameters [P].
func (w *Walk) Params() []float32 { return w.Vectors[0] }

// Ended reports whether the job ends after the steps so far. It first evaluates the
// validation split, if that is due and something follows from it.
func (w *Walk) Ended(ctx context.Context) (bool, error) {
	m, last := w.Monitor, w.Step >= w.Engine.Plan.Steps()
	if m == nil || w.Engine.Plan.LastEvaluation(w.Step) != w.Step || m.Known() >= w.Step {
		return last || m != nil && m.Stopped(), nil
	}
	figures, err := evaluate(ctx, w.Engine, w.scratch, w.Engine.Answering(w.Vectors, w.Step, w.Step), job.Validation)
	if err != nil {
		return false, err
	}
	m.Add(w.Step, figures.Values)
	return last || m.Stopped(), nil
}

// Model returns the parameters [P] that the model gets if the job ends after the steps so
// far. Ended has been called.
func (w *Walk) Model() []float32 {
	best := w.Step
	if w.Monitor != nil && w.Monitor.Best() > 0 {
		best = w.Monitor.Best()
	}
	return w.Engine.Answering(w.Vectors, w.Step, best)
}

// Compute computes the root gradient of the next step, and the chain after that step.
func (w *Walk) Compute(ctx context.Context) error {
	_, err := w.Ended(ctx)
	if err != nil {
		return err
	}
	if w.Sums, err = w.Engine.Node(ctx, w.Root, w.scratch, w.Params(), w.Step, tree.Root, nil); err != nil {
		return fmt.Errorf("step %d: %w", w.Step, err)
	}
	w.residual = w.Round(w.Root)
	w.After, err = w.Follow(w.Root, w.Sums)
	return err
}

// Round turns the sum of the root's children [P] of the next step into the root gradient,
// in place, and returns the residual after it. If the wire is not lossy, it changes nothing
// and returns nil.
func (w *Walk) Round(sum []float32) (residual []float32) {
	if !w.layout.Wire.Lossy() {
		return nil
	}
	residual = append([]float32(nil), w.Vectors[len(w.Vectors)-1]...)
	for c := range w.layout.Chunks() {
		lo, hi := w.layout.Chunk(c)
		rounding.Root(w.layout.Wire, sum[lo:hi], residual[lo:hi])
	}
	return residual
}

// Follow returns the chain after the next step, if root is the gradient of that step.
func (w *Walk) Follow(root []float32, sums ledger.Sums) (ledger.Chain, error) {
	after := make(ledger.Chain, len(w.Chain))
	for c, before := range w.Chain {
		var sum uint64
		var err error
		if w.entry, sum, err = w.layout.EncodeRoot(w.entry[:0], w.Step, c, root, sums, before); err != nil {
			return nil, fmt.Errorf("step %d: chunk %d: %w", w.Step, c, err)
		}
		after[c] = before.Next(sum)
	}
	return after, nil
}

// Fold applies the step that Compute has computed.
func (w *Walk) Fold() {
	w.Engine.Advance(nil, w.Vectors, w.Step, w.Monitor, w.Root, w.Sums)
	if w.residual != nil {
		copy(w.Vectors[len(w.Vectors)-1], w.residual)
	}
	w.Step, w.Chain = w.Step+1, w.After
}

// Jump continues from a snapshot. It copies the vectors of the snapshot. It fails with
// job.ErrCorrupt if the snapshot does not fit the job. A walk with a Monitor cannot jump,
// because it would miss evaluations.
func (w *Walk) Jump(s ledger.Snapshot) error {
	if len(s.Chain) != len(w.Chain) {
		return fmt.Errorf("snapshot %d has %d links, the job has %d chunks: %w", s.Step, len(s.Chain), len(w.Chain), job.ErrCorrupt)
	}
	if len(s.Vectors) != len(w.Vectors) {
		return fmt.Errorf("snapshot %d has %d vectors, the job's optimizer takes %d: %w", s.Step, len(s.Vectors), len(w.Vectors), job.ErrCorrupt)
	}
	for i, v := range s.Vectors {
		if len(v) != len(w.Vectors[i]) {
			return fmt.Errorf("snapshot %d: vector %d has %d floats, want %d: %w", s.Step, i, len(v), len(w.Vectors[i]), job.ErrCorrupt)
		}
		copy(w.Vectors[i], v)
	}
	w.Step, w.Chain = s.Step, s.Chain
	return nil
}
