package run

import (
	"fmt"
	"maps"

	"tributary/coordinator/report"
	"tributary/shared/job"
	"tributary/shared/metric"
	"tributary/shared/monitor"
)

// unitsOf decodes the units of an evaluation, by split in block order; nil if one is missing.
func (t *training) unitsOf(steps int64, final bool, have map[string][]byte) (map[job.Split][]*metric.Sums, error) {
	all := map[job.Split][]*metric.Sums{}
	for _, split := range t.splits(final) {
		units := make([]*metric.Sums, len(t.engine.Plan.Dataset.Splits[split]))
		for block := range units {
			task := job.Task{Split: split, Block: block, Best: t.best(final)}
			data, ok := have[task.Unit()]
			if !ok {
				return nil, nil //nolint:nilnil // not complete is no fault
			}
			unit, err := metric.DecodeSums(data)
			if err != nil {
				return nil, fmt.Errorf("evaluation of %s after step %d: %w", task.Unit(), steps, err)
			}
			units[block] = unit
		}
		all[split] = units
	}
	return all, nil
}

// threshold chooses the decision threshold by the validation split, if the spec asks for one.
func (t *training) threshold(validation []*metric.Sums) (*job.Threshold, string) {
	s := t.engine.Plan.Spec.Threshold
	if s == nil {
		return nil, ""
	}
	chosen, why := t.engine.Metrics.Choose(validation, s.Maximize)
	if why != "" {
		return nil, why
	}
	return &chosen, ""
}

// decide adds to an evaluation what the chosen threshold does to the rows of its split, or the
// reason why there is none.
func (t *training) decide(e *monitor.Evaluation, chosen *job.Threshold, why string, units []*metric.Sums) {
	switch {
	case chosen != nil:
		of := *chosen
		of.Splits = map[job.Split]job.ThresholdFigures{e.Split: t.engine.Metrics.At(units, of.Logit)}
		e.Threshold = &of
	case why != "" && e.Split == job.Validation:
		e.Undefined = maps.Clone(e.Undefined)
		if e.Undefined == nil {
			e.Undefined = map[string]string{}
		}
		e.Undefined["threshold"] = why
	}
}

// threshold returns the decision threshold of the model after so many steps, with the figures
// of all splits; nil if there is none.
func threshold(c report.Curves, steps int64) *job.Threshold {
	var of *job.Threshold
	for _, e := range c.Evaluations {
		if e.Step != steps || e.Threshold == nil {
			continue
		}
		if of == nil {
			chosen := *e.Threshold
			chosen.Splits = map[job.Split]job.ThresholdFigures{}
			of = &chosen
		}
		maps.Copy(of.Splits, e.Threshold.Splits)
	}
	return of
}
