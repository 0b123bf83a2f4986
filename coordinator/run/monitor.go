package run

import (
	"cmp"
	"context"
	"fmt"

	"tributary/shared/job"
	"tributary/shared/ledger"
	"tributary/shared/monitor"
)

// monitorFrom starts the job's monitor again, from the ledger's evaluations after less than
// so many steps. The machine then has the evaluation at these steps made again, if there is
// one.
func (t *training) monitorFrom(ctx context.Context, committed int64) error {
	if t.monitor = monitor.New(&t.engine.Plan.Spec); t.monitor == nil {
		return nil
	}
	units, err := t.service.cfg.Ledger.Evaluations(ctx, t.layout, ledger.Concluded)
	if err != nil {
		return err
	}
	list, err := monitor.Decode(units)
	if err != nil {
		return err
	}
	t.monitor.AddAll(list, committed-1)
	return nil
}

// checkEvaluations deletes a ledger that lacks an evaluation which its committed steps
// depend on: it was put back to an older copy of itself. The job then goes on from its
// newest checkpoint.
func (t *training) checkEvaluations(ctx context.Context) error {
	committed := t.round.Committed()
	last := t.engine.Plan.LastEvaluation(committed - 1)
	if t.monitor == nil || committed < 2 || last < 1 {
		return nil
	}
	units, err := t.service.cfg.Ledger.Evaluations(ctx, t.layout, ledger.Concluded)
	if err != nil {
		return t.unreachable(ctx, err)
	}
	list, err := monitor.Decode(units)
	if err != nil {
		return err
	}
	m := monitor.New(&t.engine.Plan.Spec)
	if m.AddAll(list, committed-1); m.Known() >= last {
		return nil
	}
	t.log.Warn().Int64("step", last).Msg("the ledger has lost an evaluation that later steps depend on; the job goes on from its newest checkpoint")
	if err := t.service.cfg.Ledger.Delete(ctx, t.layout); err != nil {
		return t.unreachable(ctx, err)
	}
	return nil
}

// best returns after how many steps the best evaluation was, for the last evaluation of a
// job that follows its evaluations. 0 stands for the current parameters.
func (t *training) best(final bool) int64 {
	if t.monitor == nil || !final {
		return 0
	}
	return t.modelStep()
}

// modelStep returns after how many steps the parameters are those of the model.
func (t *training) modelStep() int64 {
	if t.monitor == nil || !t.engine.Plan.Spec.EarlyStopping.RestoresBest() {
		return t.round.End()
	}
	return cmp.Or(t.monitor.Best(), t.round.End())
}

// choice says in a sentence which step the model is from and why, for a job with early
// stopping; "" for any other job.
func (t *training) choice() string {
	e := t.engine.Plan.Spec.EarlyStopping
	overtime := t.record.StopAt > 0 && t.round.End() == t.record.StopAt && t.record.StopAt < t.engine.Plan.Steps()
	switch {
	case e == nil && overtime:
		return t.timeOver()
	case e == nil:
		return ""
	}
	why := fmt.Sprintf("all %d steps were taken", t.round.End())
	if overtime {
		why = t.timeOver()
	} else if t.monitor.Stopped() && t.round.End() < t.engine.Plan.Steps() {
		why = fmt.Sprintf("the job stopped after %d of %d steps: %s of the %s split had not improved in %d evaluations",
			t.round.End(), t.engine.Plan.Steps(), e.Monitor, job.Validation, e.Patience)
	}
	if best := t.modelStep(); best < t.round.End() {
		return fmt.Sprintf("%s; the model has the parameters after step %d, the best", why, best)
	}
	return why + "; the model has the last parameters"
}
