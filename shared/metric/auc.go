package metric

import (
	"cmp"
	"fmt"
	"slices"
)

// auc returns the area under the receiver operating characteristic: the probability that a
// row of the second class has a greater score than a row of the first. A tie counts half
// (the Mann–Whitney statistic). auc counts in integers, so it is exact up to one division.
// If all rows are of one class, or a score is NaN, there is no area, and why is the reason.
// classes names the two classes, or is nil.
func (s *Sums) auc(classes []string) (area float64, why string) {
	type scored struct {
		score  float32
		second bool
	}
	rows := make([]scored, len(s.scores))
	for i, v := range s.scores {
		if v != v {
			return 0, "a row's score is NaN, which has no rank: outputs are too large"
		}
		rows[i] = scored{v, s.second[i]}
	}
	slices.SortFunc(rows, func(a, b scored) int { return cmp.Compare(a.score, b.score) })
	var first, second, halves uint64 // rows below the current score; twice the statistic
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
		only := 0
		if first == 0 {
			only = 1
		}
		name := fmt.Sprintf("%d of 0 and 1", only)
		if only < len(classes) {
			name = fmt.Sprintf("%.80q", classes[only])
		}
		return 0, fmt.Sprintf("all %d rows are of class %s: want rows of two classes", s.rows, name)
	}
	return float64(halves) / (2 * float64(first) * float64(second)), ""
}
