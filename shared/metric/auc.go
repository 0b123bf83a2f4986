package metric

import (
	"cmp"
	"math"
	"slices"
)

// auc is the area under the receiver operating characteristic: the chance that a row
// of the second class has a greater score than one of the first, a tie
// counting half (the Mann–Whitney statistic). It is counted in integers, so
// exact up to the one division; NaN with one class only or a NaN score.
func (s *Sums) auc() float64 {
	type scored struct {
		score  float32
		second bool
	}
	rows := make([]scored, len(s.scores))
	for i, v := range s.scores {
		if v != v {
			return math.NaN()
		}
		rows[i] = scored{v, s.second[i]}
	}
	slices.SortFunc(rows, func(a, b scored) int { return cmp.Compare(a.score, b.score) })
	var first, second, halves uint64 // rows below; twice the statistic
	for len(rows) > 0 {
		var ties [2]uint64 // of the first and second class
		score := rows[0].score
		for len(rows) > 0 && rows[0].score == score {
			if rows[0].second {
				ties[1]++
			} else {
				ties[0]++
			}
			rows = rows[1:]
		}
		halves += ties[1] * (2*first + ties[0])
		first, second = first+ties[0], second+ties[1]
	}
	if first == 0 || second == 0 {
		return math.NaN()
	}
	return float64(halves) / (2 * float64(first) * float64(second))
}
