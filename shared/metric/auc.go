package metric

import (
	"cmp"
	"fmt"
	"slices"
)

// scored is a row with the score of the second class.
type scored struct {
	score  float32
	second bool // the row is of the second class
}

// ranked returns the rows in the order of their scores. why is the reason if they have none.
func (s *Sums) ranked() (rows []scored, why string) {
	rows = make([]scored, len(s.scores))
	for i, v := range s.scores {
		if v != v {
			return nil, "a row's score is NaN, which has no rank: outputs are too large"
		}
		rows[i] = scored{v, s.second[i]}
	}
	slices.SortFunc(rows, func(a, b scored) int { return cmp.Compare(a.score, b.score) })
	return rows, ""
}

// oneClass says that all rows are of one class.
func (s *Sums) oneClass(only int, classes []string) string {
	name := fmt.Sprintf("%d of 0 and 1", only)
	if only < len(classes) {
		name = fmt.Sprintf("%.80q", classes[only])
	}
	return fmt.Sprintf("all %d rows are of class %s", s.rows, name)
}

// averagePrecision returns Σ (Rₙ − Rₙ₋₁)·Pₙ over the different scores in falling order, where
// Pₙ and Rₙ are precision and recall of the second class for the rows with at least this
// score (scikit-learn's average_precision_score). Without rows of the second class it is
// undefined.
func (s *Sums) averagePrecision(classes []string) (area float64, why string) {
	rows, why := s.ranked()
	if why != "" {
		return 0, why
	}
	sum, taken, right := 0.0, 0, 0
	for len(rows) > 0 {
		last, score, hits := len(rows)-1, rows[len(rows)-1].score, 0
		for last >= 0 && rows[last].score == score {
			if rows[last].second {
				hits++
			}
			last--
		}
		taken, right, rows = taken+len(rows)-1-last, right+hits, rows[:last+1]
		sum += float64(float64(hits) * (float64(right) / float64(taken)))
	}
	if right == 0 {
		return 0, s.oneClass(0, classes) + ": want rows of the other one"
	}
	return sum / float64(right), ""
}

// auc returns the area under the receiver operating characteristic: the probability that a
// row of the second class has a greater score than a row of the first. A tie counts half
// (the Mann–Whitney statistic). auc counts in integers, so it is exact up to one division.
// If all rows are of one class, or a score is NaN, there is no area, and why is the reason.
// classes names the two classes, or is nil.
func (s *Sums) auc(classes []string) (area float64, why string) {
	rows, why := s.ranked()
	if why != "" {
		return 0, why
	}
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
		return 0, s.oneClass(only, classes) + ": want rows of two classes"
	}
	return float64(halves) / (2 * float64(first) * float64(second)), ""
}
