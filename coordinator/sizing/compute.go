package sizing

import (
	"context"
	"fmt"
	"sync"
	"time"

	"tributary/coordinator/capacity"
	"tributary/shared/gradient"
	"tributary/shared/numeric"
	"tributary/shared/tree"
)

// compute measures a micro-batch, with so many slots at work at once, and a
// fold and an addition by themselves.
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
		s.engine.Fold.Apply(params, state, step, grad, 1e6) // hardly moves them
		step = (step + 1) % s.engine.Plan.Steps()
	})
	sum := make([]float32, n)
	c.Add = each(budget/tenth, func() { numeric.Add(sum, grad, params) })
	return nil
}

// microbatch returns the seconds per micro-batch of one slot of several.
func (s *sample) microbatch(ctx context.Context, params []float32, slots int, budget time.Duration) (float64, error) {
	leaf := tree.Cover(s.engine.Plan.Spec.Microbatches, s.engine.Plan.Spec.Microbatches)[0]
	seconds, errs := make([]float64, slots), make([]error, slots)
	var busy sync.WaitGroup
	for slot := range slots {
		busy.Go(func() {
			scratch, dst := gradient.NewScratch(), make([]float32, len(params))
			step := int64(0)
			once := func() {
				if errs[slot] == nil {
					_, errs[slot] = s.engine.Node(ctx, dst, scratch, params, step, leaf, nil)
				}
				step = (step + 1) % min(batches, s.engine.Plan.Steps())
			}
			once() // buffers and caches are warm in a fleet
			seconds[slot] = each(budget, once)
		})
	}
	busy.Wait()
	longest := 0.0
	for slot, err := range errs {
		if err != nil {
			return 0, fmt.Errorf("slot %d: %w", slot, err)
		}
		longest = max(longest, seconds[slot])
	}
	return longest, nil
}

// each returns the mean seconds of f, called until the budget is used up.
func each(budget time.Duration, f func()) float64 {
	began := time.Now()
	for n := 1; ; n++ {
		f()
		if d := time.Since(began); d >= budget {
			return d.Seconds() / float64(n)
		}
	}
}
