package sweep

import "slices"

// rounds returns the epochs of each round; one round with 0, the job's own epochs, unless
// the search is halving.
func (s *Sweep) rounds(epochs int) []int {
	if s.Search != SuccessHalve {
		return []int{0}
	}
	factor, first := s.Halving.Factor, s.Halving.Epochs
	if first == 0 {
		first = max(1, epochs/(factor*factor*factor))
	}
	var rounds []int
	for n := first; n < epochs; n *= factor {
		rounds = append(rounds, n)
	}
	return append(rounds, epochs)
}

// keep returns the trials of the next round: the best of those that have a figure, one of
// factor, at least one. Of equal trials the first is better.
func (s *Sweep) keep(trials []*Trial) []*Trial {
	ranked := s.ranked(trials)
	n := (len(trials) + s.Halving.Factor - 1) / s.Halving.Factor
	return ranked[:min(len(ranked), max(1, n))]
}

// ranked returns the trials that have a figure, the best first.
func (s *Sweep) ranked(trials []*Trial) []*Trial {
	ranked := slices.DeleteFunc(slices.Clone(trials), func(t *Trial) bool { return t.Value == nil })
	slices.SortStableFunc(ranked, func(a, b *Trial) int {
		switch {
		case a.Epochs != b.Epochs: // of later rounds of halving
			return b.Epochs - a.Epochs
		case s.better(*a.Value, *b.Value):
			return -1
		case s.better(*b.Value, *a.Value):
			return 1
		default:
			return a.Number - b.Number
		}
	})
	return ranked
}
