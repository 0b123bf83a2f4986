package capacity

// Bound names what limits the speed of a fleet.
type Bound string

// The bounds.
const (
	Compute      Bound = "compute"      // more workers still help
	Microbatches Bound = "microbatches" // the number of micro-batches bounds the number of tasks
	Redis        Bound = "redis"        // its thread, or the sequence of operations
	Bandwidth    Bound = "bandwidth"    // the links
	Queue        Bound = "queue"        // the overhead of a step
)

// nearBest is the fraction of the best rate from which more workers count as no help.
const nearBest = 0.99

// Limit returns the smallest number of workers, at most limit, whose rate is within one
// percent of the best rate for up to limit workers. It also returns what prevents a gain
// from more workers. That is Compute if the best number is limit itself.
func Limit(j Job, c Costs, n Network, limit int) (Step, Bound) {
	steps := make([]Step, limit)
	best := 0.0
	for i := range steps {
		steps[i] = Predict(j, c, n, i+1)
		best = max(best, steps[i].Samples)
	}
	for _, s := range steps {
		if s.Samples >= nearBest*best {
			return s, bound(j, c, n, s, limit)
		}
	}
	return steps[limit-1], Compute // limit ≥ 1: the best is one of them
}

func bound(j Job, c Costs, n Network, s Step, limit int) Bound {
	switch {
	case s.Workers == limit && s.Workers < j.Microbatches:
		return Compute
	case s.Workers >= j.Microbatches && s.Compute > s.Communication:
		return Microbatches
	case s.Queue > s.Communication && s.Queue > s.Compute:
		return Queue
	}
	endless := n
	endless.Bandwidth *= 1e6
	if wire := s.Communication - Predict(j, c, endless, s.Workers).Communication; wire > s.Communication/2 {
		return Bandwidth
	}
	return Redis
}
