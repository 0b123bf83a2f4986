package trial

import "slices"

// Epochs returns the epochs of each round; one round with 0, the job's own epochs, unless
// the search is halving.
func (s *Sweep) Epochs(epochs int) []int {
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

// Keep returns the trials of the next round: the best of those that have a figure, one of
// factor, at least one. Of equal trials the first is better.
func (s *Sweep) Keep(trials []*Trial) []*Trial {
	ranked := s.Ranked(trials)
	return ranked[:min(len(ranked), s.kept(len(trials)))]
}

// kept returns how many of n trials the next round has, at most.
func (s *Sweep) kept(n int) int { return max(1, (n+s.Halving.Factor-1)/s.Halving.Factor) }

// Ranked returns the trials that have a figure, the best first.
func (s *Sweep) Ranked(trials []*Trial) []*Trial {
	ranked := slices.DeleteFunc(slices.Clone(trials), func(t *Trial) bool { return t.Value == nil })
	slices.SortStableFunc(ranked, func(a, b *Trial) int {
		switch {
		case a.Epochs != b.Epochs: // of later rounds of halving
			return b.Epochs - a.Epochs
		case s.Better(*a.Value, *b.Value):
			return -1
		case s.Better(*b.Value, *a.Value):
			return 1
		default:
			return a.Number - b.Number
		}
	})
	return ranked
}
