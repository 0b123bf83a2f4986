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
	Chain   ledger.Chain // of the update log that a fleet would have written
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
	var err error
	res.Metrics, err = evaluate(ctx, e, w.scratch, res.Params)
	return res, err
}

func evaluate(ctx context.Context, e *gradient.Engine, s *gradient.Scratch, params []float32) (map[job.Split]map[string]float64, error) {
	metrics := map[job.Split]map[string]float64{}
	for _, split := range job.Splits {
		var units []*metric.Sums
		for block := range e.Plan.Dataset.Splits[split] {
			unit, err := e.Evaluate(ctx, s, params, split, block)
			if err != nil {
				return nil, fmt.Errorf("evaluate the %s split: %w", split, err)
			}
			units = append(units, unit)
		}
		if len(units) > 0 {
			metrics[split] = e.Metrics.Combine(units)
		}
	}
	return metrics, nil
}
