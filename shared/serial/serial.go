// Package serial is the reference: a job trained in one process, without
// queue, ledger or fleet, in the plainest way.
//
// It owns the loop and nothing else: the same engine and the same fold as the
// fleet uses. Tests hold every distributed run against it.
//
// Invariant: a distributed run ends with these very bits.
package serial

import (
	"context"
	"fmt"

	"tributary/shared/gradient"
	"tributary/shared/job"
	"tributary/shared/ledger"
	"tributary/shared/metric"
)

// Result is what a job comes to.
type Result struct {
	Params  []float32
	Losses  []float64 // per step, as people read it
	Metrics map[job.Split]map[string]float64
	// Undefined says of each metric that could not be computed why, by split and metric.
	Undefined map[job.Split]map[string]string
	Chain     ledger.Chain // of the update log that a fleet would have written
}

// Train runs all of a job's steps and the final evaluation.
func Train(ctx context.Context, e *gradient.Engine) (*Result, error) {
	w := NewWalk(e)
	res := &Result{Params: w.Params()}
	for w.Step < e.Plan.Steps() {
		if err := w.Compute(ctx); err != nil {
			return nil, err
		}
		res.Losses = append(res.Losses, e.MeanLoss(w.Sums))
		w.Fold()
	}
	res.Chain = w.Chain
	return res, res.evaluate(ctx, e, w.scratch)
}

// evaluate evaluates every split at the final parameters.
func (r *Result) evaluate(ctx context.Context, e *gradient.Engine, s *gradient.Scratch) error {
	r.Metrics, r.Undefined = map[job.Split]map[string]float64{}, map[job.Split]map[string]string{}
	for _, split := range job.Splits {
		var units []*metric.Sums
		for block := range e.Plan.Dataset.Splits[split] {
			unit, err := e.Evaluate(ctx, s, r.Params, split, block)
			if err != nil {
				return fmt.Errorf("evaluate the %s split: %w", split, err)
			}
			units = append(units, unit)
		}
		if len(units) > 0 {
			figures := e.Metrics.Combine(units)
			r.Metrics[split] = figures.Values
			if figures.Undefined != nil {
				r.Undefined[split] = figures.Undefined
			}
		}
	}
	return nil
}
