package metric

import (
	"math"

	"tributary/shared/job"
	"tributary/shared/numeric"
)

// Combine returns the loss, under "loss" (the mean over the rows; for a loss that is
// a sum, the sum), and each metric asked for, of the units taken together in
// their order. A figure that is undefined (AUC of one class, R² of constant
// labels, a metric that does not go with the loss, anything of no rows) or
// not finite is left out.
//
// R² is 1 − Σ(ŷ−y)²/Σ(y−ȳ)² over all outputs, ȳ the mean of each.
func (c Config) Combine(units []*Sums) map[string]float64 {
	var t Sums
	for _, u := range units {
		if u != nil {
			t.add(u)
		}
	}
	figures := make(map[string]float64)
	if t.rows == 0 {
		return figures
	}
	set := func(name string, v float64) {
		if !math.IsNaN(v) && !math.IsInf(v, 0) {
			figures[name] = v
		}
	}
	mean := t.loss / float64(t.rows)
	if c.Loss.Sums() {
		set("loss", t.loss)
	} else {
		set("loss", mean)
	}
	for _, m := range c.Metrics {
		set(string(m), c.figure(m, &t, mean))
	}
	return figures
}

// figure returns one metric of the totals t; NaN when it is undefined.
func (c Config) figure(m job.Metric, t *Sums, meanLoss float64) float64 {
	if c.Loss.Classifies() {
		switch m {
		case job.Accuracy:
			return float64(t.correct) / float64(t.rows)
		case job.LogLoss:
			return meanLoss
		case job.AUC:
			return t.auc()
		default:
			return math.NaN()
		}
	}
	n, deviations := t.deviations()
	switch m {
	case job.RMSE:
		return math.Sqrt(t.squared / n)
	case job.MAE:
		return t.abs / n
	case job.R2:
		return 1 - t.squared/deviations
	default:
		return math.NaN()
	}
}

// add takes in another unit.
func (s *Sums) add(u *Sums) {
	s.rows += u.rows
	s.loss += u.loss
	s.correct += u.correct
	s.squared += u.squared
	s.abs += u.abs
	for len(s.spread) < len(u.spread) {
		s.spread = append(s.spread, spread{})
	}
	for i, p := range u.spread {
		s.spread[i].merge(p)
	}
	s.scores = append(s.scores, u.scores...)
	s.second = append(s.second, u.second...)
}

// deviations returns how many labels there are and the sum of their squared
// deviations from the mean of their output; NaN when the labels of every output are
// equal but for rounding.
func (s *Sums) deviations() (n, sum float64) {
	constant := true
	for _, p := range s.spread {
		n += float64(p.n)
		sum += p.m2
		constant = constant && numeric.Constant(p.m2/float64(p.n), p.mean, p.n)
	}
	if constant {
		sum = math.NaN()
	}
	return n, sum
}
