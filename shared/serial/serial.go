// Package serial is the reference: it trains a job in one process, without queue, ledger or
// workers, in the simplest way.
//
// It owns only the loop. It uses the same engine (package gradient) and the same optimizer
// (package optim) as the workers. Tests compare every distributed run with it.
// coordinator/verify uses it to recompute the steps of a job.
//
// Invariant: a distributed run ends with exactly the same bits.
package serial

import (
	"context"
	"fmt"

	"tributary/shared/gradient"
	"tributary/shared/job"
	"tributary/shared/ledger"
	"tributary/shared/metric"
)

// Result is the result of a job.
type Result struct {
	Params  []float32
	Losses  []float64 // per step that was taken, as people read it
	Metrics map[job.Split]map[string]float64
	// Undefined says, by split and metric, why a metric could not be computed.
	Undefined map[job.Split]map[string]string
	Chain     ledger.Chain // of the update log that workers would have written
}

// Train runs all of a job's steps and the final evaluation.
func Train(ctx context.Context, e *gradient.Engine) (*Result, error) {
	w := NewWalk(e)
	res := &Result{}
	for {
		ended, err := w.Ended(ctx)
		if err != nil {
			return nil, err
		}
		if ended {
			break
		}
		if err := w.Compute(ctx); err != nil {
			return nil, err
		}
		res.Losses = append(res.Losses, e.MeanLoss(w.Sums))
		w.Fold()
	}
	res.Params, res.Chain = w.Model(), w.Chain
	return res, res.evaluate(ctx, e, w.scratch)
}

// evaluate evaluates every split at the final parameters.
func (r *Result) evaluate(ctx context.Context, e *gradient.Engine, s *gradient.Scratch) error {
	r.Metrics, r.Undefined = map[job.Split]map[string]float64{}, map[job.Split]map[string]string{}
	for _, split := range job.Splits {
		if len(e.Plan.Dataset.Splits[split]) == 0 {
			continue
		}
		figures, err := evaluate(ctx, e, s, r.Params, split)
		if err != nil {
			return err
		}
		r.Metrics[split] = figures.Values
		if figures.Undefined != nil {
			r.Undefined[split] = figures.Undefined
		}
	}
	return nil
}

// evaluate evaluates one split.
func evaluate(ctx context.Context, e *gradient.Engine, s *gradient.Scratch, params []float32, split job.Split) (metric.Figures, error) {
	var units []*metric.Sums
	for block := range e.Plan.Dataset.Splits[split] {
		unit, err := e.Evaluate(ctx, s, params, split, block)
		if err != nil {
			return metric.Figures{}, fmt.Errorf("evaluate the %s split: %w", split, err)
		}
		units = append(units, unit)
	}
	return e.Metrics.Combine(units), nil
}
