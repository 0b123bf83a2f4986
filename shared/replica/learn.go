package replica

import (
	"context"
	"fmt"

	"tributary/shared/job"
	"tributary/shared/ledger"
	"tributary/shared/monitor"
)

// learn reads the evaluations that the fold of the replica's next step depends on, unless
// they are known. The coordinator stores an evaluation before it asks for the step after
// it. learn fails with job.ErrNotFound if the ledger does not have one: it has lost it. The
// caller holds the whole lock.
func (r *Replica) learn(ctx context.Context, l ledger.Source) error {
	if r.monitor == nil {
		return nil
	}
	last := r.engine.Plan.LastEvaluation(r.step)
	if r.monitor.Known() >= last {
		return nil
	}
	units, err := l.Evaluations(ctx, r.layout, ledger.Concluded)
	if err != nil {
		return fmt.Errorf("read the evaluations before step %d: %w", r.step, err)
	}
	list, err := monitor.Decode(units)
	if err != nil {
		return err
	}
	if r.monitor.AddAll(list, r.step); r.monitor.Known() < last {
		return fmt.Errorf("the ledger does not have the evaluation after step %d: %w", last, job.ErrNotFound)
	}
	return nil
}

// Answering returns the parameters [P] with which the model answers, if the best evaluation
// is the one after best steps; best = the replica's step stands for the current parameters.
// Only a function that View has called may use it, until it returns.
func (r *Replica) Answering(best int64) []float32 {
	return r.engine.Answering(r.vectors, r.step, best)
}
