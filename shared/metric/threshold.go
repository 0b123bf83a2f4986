package metric

import (
	"fmt"
	"math"
	"math/bits"
	"slices"

	"tributary/shared/job"
	"tributary/shared/objective"
)

// Choose returns the decision threshold that makes a figure of the rows of all units greatest.
// The candidates are the scores of the rows; of equal ones it takes the greatest. All
// comparisons are exact, in integers, so the order of the units does not matter. why is the
// reason if there is none.
func (c Config) Choose(units []*Sums, maximize job.Maximize) (t job.Threshold, why string) {
	all := c.scored(units)
	rows, why := all.ranked()
	if why != "" {
		return t, why
	}
	var second int64
	for _, r := range rows {
		if r.second {
			second++
		}
	}
	switch first := int64(len(rows)) - second; {
	case len(rows) == 0:
		return t, noRows
	case second == 0 || first == 0:
		return t, all.oneClass(min(int(second), 1), c.Classes) + ": want rows of both classes"
	}
	t = job.Threshold{Maximize: maximize, Logit: best(rows, second, maximize)}
	if math.IsInf(float64(t.Logit), 0) {
		return t, fmt.Sprintf("the best threshold would be %v: outputs are too large", t.Logit)
	}
	p := make([]float32, 2)
	of, err := objective.Of(job.SigmoidCrossEntropy)
	if err != nil {
		return t, err.Error()
	}
	of.Probabilities(p, []float32{t.Logit}, 1)
	t.Probability = p[1]
	return t, ""
}

// best returns the score from which on the rows, in rising order, are best taken for the
// second class, which that many rows have.
func best(rows []scored, second int64, maximize job.Maximize) float32 {
	first := int64(len(rows)) - second
	threshold, most := float32(0), fraction{0, 1}
	var right, wrong int64 // rows of at least a score: of the second class, and of the first
	for i, row := range slices.Backward(rows) {
		if row.second {
			right++
		} else {
			wrong++
		}
		if i > 0 && rows[i-1].score == row.score {
			continue
		}
		value := fraction{uint64(2 * right), uint64(right + wrong + second)} // F1
		if maximize == job.MaximizeBalanced {
			value = fraction{uint64(right*first + (first-wrong)*second), uint64(2 * first * second)}
		}
		if value.above(most) {
			threshold, most = row.score, value
		}
	}
	return threshold
}

// fraction is a number of at least 0 as a quotient.
type fraction struct{ over, under uint64 }

// above reports whether f is greater than g.
func (f fraction) above(g fraction) bool {
	hi, lo := bits.Mul64(f.over, g.under)
	otherHi, otherLo := bits.Mul64(g.over, f.under)
	return hi > otherHi || hi == otherHi && lo > otherLo
}

// At returns what a threshold does to the rows of all units.
func (c Config) At(units []*Sums, logit float32) job.ThresholdFigures {
	var counts [2][2]int64 // by class and decision
	all := c.scored(units)
	for i, score := range all.scores {
		class, decision := 0, 0
		if all.second[i] {
			class = 1
		}
		if score >= logit {
			decision = 1
		}
		counts[class][decision]++
	}
	return job.ThresholdOf(counts[0][0], counts[0][1], counts[1][0], counts[1][1])
}

// scored returns the scores of all units.
func (c Config) scored(units []*Sums) *Sums {
	var all Sums
	for _, u := range units {
		if u != nil {
			all.rows += u.rows
			all.scores = append(all.scores, u.scores...)
			all.second = append(all.second, u.second...)
		}
	}
	return &all
}

// Score returns the score of a row of one or two logits, which a threshold is compared with.
func Score(z []float32) float32 {
	if len(z) == 2 {
		return z[1] - z[0]
	}
	return z[0]
}
