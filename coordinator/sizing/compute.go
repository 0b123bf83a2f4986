package sizing

import (
	"context"
	"slices"
	"time"

	"tributary/coordinator/capacity"
	"tributary/shared/gradient"
	"tributary/shared/numeric"
	"tributary/shared/tree"
)

// compute measures a micro-batch on that many slots, a fold and an addition.
func (s *sample) compute(ctx context.Context, c *capacity.Costs, slots int, budget time.Duration) error {
	n := s.engine.Network.Params()
	params := make([]float32, n)
	s.engine.Initial(params)
	seconds, err := s.microbatch(ctx, params, slots, budget)
	if err != nil {
		return err
	}
	c.Microbatch = seconds
	grad, state := make([]float32, n), make([][]float32, s.engine.Fold.Vectors())
	for i := range grad {
		grad[i] = float32(i*7919%1013)/1013 - 0.5
	}
	for i := range state {
		state[i] = make([]float32, n)
	}
	const tenth = 10
	step := int64(0)
	c.Fold = each(budget/tenth, func() {
		s.engine.Fold.Apply(params, state, step, grad[:n-s.engine.Network.Statistics()], 1e6) // changes them very little
		step = (step + 1) % s.engine.Plan.Steps()
	})
	sum := make([]float32, n)
	c.Add = each(budget/tenth, func() { numeric.Add(sum, grad, params) })
	return nil
}

// microbatch returns the seconds of a micro-batch on all slots of a worker.
func (s *sample) microbatch(ctx context.Context, params []float32, slots int, budget time.Duration) (float64, error) {
	m := s.engine.Plan.Spec.Microbatches
	leaf := tree.Cover(m, m)[0]
	scratch, dst := gradient.NewParallelScratch(slots), make([]float32, len(params))
	defer scratch.Close()
	var failed error
	step := int64(0)
	once := func() {
		if failed == nil {
			_, failed = s.engine.Node(ctx, dst, scratch, params, step, leaf, nil)
		}
		step = (step + 1) % min(batches, s.engine.Plan.Steps())
	}
	once() // in a fleet, buffers and caches are warm
	return each(budget, once), failed
}

// each calls f until the budget is used up and returns the median seconds of a call. The
// median ignores occasional delays by other programs.
func each(budget time.Duration, f func()) float64 {
	var took []float64
	for began := time.Now(); time.Since(began) < budget || len(took) == 0; {
		from := time.Now()
		f()
		took = append(took, time.Since(from).Seconds())
	}
	return median(took)
}

// median sorts v, which must not be empty, and returns its median.
func median(v []float64) float64 {
	slices.Sort(v)
	return v[len(v)/2]
}
