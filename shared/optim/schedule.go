package optim

import (
	"tributary/shared/job"
	"tributary/shared/numeric"
)

// schedule is the factor of the learning rate at each step, in float64. Each operation is
// rounded.
type schedule struct {
	job.Schedule
	steps int64 // of the job after the warm-up
}

// factor returns the factor of the step after the given number of steps.
func (s *schedule) factor(step int64) float64 {
	t := step - s.WarmupSteps
	switch {
	case t < 0:
		return float64(step+1) / float64(s.WarmupSteps)
	case s.Step != nil:
		return power(s.Step.Gamma, t/s.Step.Steps)
	case s.Exponential != nil:
		return power(s.Exponential.Gamma, t)
	case s.Piecewise != nil:
		i := 0
		for i < len(s.Piecewise.Boundaries) && s.Piecewise.Boundaries[i] <= t {
			i++
		}
		return s.Piecewise.Factors[i]
	case s.Linear != nil:
		steps := s.length(s.Linear.Steps)
		return between(1, s.Linear.End, float64(min(t, steps))/float64(steps))
	case s.Cosine != nil:
		return s.cosine(t)
	case s.OneCycle != nil:
		return s.oneCycle(t)
	default:
		return 1
	}
}

// length returns the given number of steps; for 0, all steps after the warm-up.
func (s *schedule) length(given int64) int64 {
	if given > 0 {
		return given
	}
	return max(1, s.steps)
}

func (s *schedule) cosine(t int64) float64 {
	steps := s.length(s.Cosine.Steps)
	switch f := s.Cosine.RestartFactor; f {
	case 0:
	case 1:
		t %= steps
	default:
		for t >= steps {
			t, steps = t-steps, steps*f
		}
	}
	return anneal(1, s.Cosine.End, float64(min(t, steps))/float64(steps))
}

// oneCycle follows the formulas of PyTorch's OneCycleLR with anneal_strategy cos.
func (s *schedule) oneCycle(t int64) float64 {
	c := s.OneCycle
	first := 1 / c.DivFactor
	peak, last := float64(c.Start*float64(s.steps))-1, float64(s.steps-1)
	if at := float64(t); at <= peak && peak > 0 {
		return anneal(first, 1, at/peak)
	} else if last > peak {
		return anneal(1, first/c.FinalDivFactor, min(1, (at-peak)/(last-peak)))
	}
	return 1
}

// between returns a + (b − a)·x.
func between(a, b, x float64) float64 { return a + float64((b-a)*x) }

// anneal returns b + (a − b)·(1 + cos πx)/2, for x in [0, 1].
func anneal(a, b, x float64) float64 {
	half, rise := float64((a-b)/2), 1+numeric.Cosine(float64(x/2))
	return b + float64(half*rise)
}
