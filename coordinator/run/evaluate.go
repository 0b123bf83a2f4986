package run

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"strconv"

	"tributary/coordinator/round"
	"tributary/shared/job"
	"tributary/shared/ledger"
	"tributary/shared/monitor"
	"tributary/shared/notice"
)

// evaluate concludes an evaluation if the ledger has all its units. Otherwise, if publish
// is set, it publishes the missing units.
func (t *training) evaluate(ctx context.Context, a round.Evaluate, publish bool) error {
	tasks := t.units(a.Steps, a.Final, a.Attempt)
	have, err := t.service.cfg.Ledger.Evaluations(ctx, t.layout, a.Steps)
	if err != nil {
		return t.unreachable(ctx, err)
	}
	missing := tasks[:0:0]
	for _, task := range tasks {
		if _, ok := have[task.Unit()]; !ok {
			missing = append(missing, task)
		}
	}
	if len(missing) == 0 {
		return t.completeEvaluation(ctx, a.Steps, have)
	}
	if publish {
		t.publishTasks(ctx, missing)
	}
	return nil
}

// units returns the evaluate tasks of an evaluation, one for each block of each split.
func (t *training) units(steps int64, final bool, attempt int) []job.Task {
	var tasks []job.Task
	for _, split := range t.splits(final) {
		for block := range t.engine.Plan.Dataset.Splits[split] {
			task := t.task(job.Evaluate, steps, attempt)
			task.Split, task.Block, task.Best = split, block, t.best(final)
			tasks = append(tasks, task)
		}
	}
	return tasks
}

// splits returns the splits to evaluate: every split at the end, before that the
// validation split.
func (t *training) splits(final bool) []job.Split {
	if !final {
		return []job.Split{job.Validation}
	}
	var splits []job.Split
	for _, s := range job.Splits {
		if len(t.engine.Plan.Dataset.Splits[s]) > 0 {
			splits = append(splits, s)
		}
	}
	return splits
}

// complete reports whether a notice announces the last unit of the current evaluation.
func (t *training) complete(n notice.Evaluated) bool {
	if t.round.Phase() != round.Evaluating || n.Step != t.round.Committed() {
		return false
	}
	units := 0
	for _, split := range t.splits(t.round.Concluding()) {
		units += len(t.engine.Plan.Dataset.Splits[split])
	}
	return n.Stored >= units
}

// completeEvaluation combines the units of a complete evaluation in block order and lets
// the machine go on. It does not evaluate parameters that have diverged.
func (t *training) completeEvaluation(ctx context.Context, steps int64, have map[string][]byte) error {
	if err := t.learn(ctx); err != nil {
		return err
	}
	final, stop := t.round.Concluding(), false
	all, err := t.unitsOf(steps, final, have)
	if err != nil || all == nil {
		return err // nil: not complete after all; a later tick asks again
	}
	// What is only in the last evaluation, because it is large. The last evaluation of a job
	// that follows its evaluations repeats an earlier one, and that of a job whose time is over
	// may; both must have the same bytes.
	whole := final || t.monitor != nil || t.engine.Plan.Spec.Stop != nil
	var threshold *job.Threshold
	var noThreshold string
	if whole {
		threshold, noThreshold = t.threshold(all[job.Validation])
	}
	for _, split := range t.splits(final) {
		units := all[split]
		figures := t.engine.Metrics.Combine(units)
		e := monitor.Evaluation{Step: cmp.Or(t.best(final), steps), Split: split, Metrics: figures.Values, Undefined: figures.Undefined}
		if whole {
			e.Confusion = figures.Confusion
			t.decide(&e, threshold, noThreshold, units)
		}
		if err := t.storeEvaluation(ctx, e); err != nil {
			return t.unreachable(ctx, err)
		}
		if t.monitor != nil && !final {
			// Another coordinator may have concluded evaluations before this one.
			if err := t.monitorFrom(ctx, steps+1); err != nil {
				return t.unreachable(ctx, err)
			}
			if t.monitor.Known() < steps {
				return nil // the ledger was put back to a copy without it; a later tick asks again
			}
			stop = t.monitor.Stopped()
		}
		t.publish(notice.Event{
			Type: notice.EvaluationEvent, Step: e.Step, Steps: t.round.End(), Epoch: t.epoch(),
			Split: split, Metrics: e.Metrics, Undefined: e.Undefined,
		})
	}
	if err := t.service.cfg.Ledger.DropEvaluations(ctx, t.layout, steps); err != nil {
		t.log.Debug().Err(err).Msg("drop evaluation units")
	}
	return t.feed(ctx, round.Evaluated{Steps: steps, Stop: stop})
}

// storeEvaluation stores an evaluation's result in the ledger beside the job's units.
func (t *training) storeEvaluation(ctx context.Context, e monitor.Evaluation) error {
	data, err := json.Marshal(e)
	if err != nil {
		return fmt.Errorf("encode evaluation: %w", err)
	}
	unit := strconv.FormatInt(e.Step, 10) + "/" + string(e.Split)
	_, err = t.service.cfg.Ledger.PutEvaluation(ctx, t.layout, ledger.Concluded, unit, data)
	return err
}
