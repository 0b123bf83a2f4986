package capacity

// Bound names what keeps a fleet from being faster.
type Bound string

// The bounds.
const (
	Compute      Bound = "compute"      // more workers still help
	Microbatches Bound = "microbatches" // there are no more tasks than these
	Redis        Bound = "redis"        // its thread, or the operations one after another
	Bandwidth    Bound = "bandwidth"    // the links
	Queue        Bound = "queue"        // the overhead of a step
)

// worthwhile is the share of the best rate at which more workers are taken to
// help no more.
const worthwhile = 0.99

// Limit returns the least number of workers, at most limit, whose rate is
// within one percent of the best there is up to limit, and what keeps more from
// helping; Compute when the best is limit itself.
func Limit(j Job, c Costs, n Network, limit int) (Step, Bound) {
	steps := make([]Step, limit)
	best := 0.0
	for i := range steps {
		steps[i] = Predict(j, c, n, i+1)
		best = max(best, steps[i].Samples)
	}
	for _, s := range steps {
		if s.Samples >= worthwhile*best {
			return s, bound(j, c, n, s, limit)
		}
	}
	return steps[limit-1], Compute // limit ≥ 1: the best is among them
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
