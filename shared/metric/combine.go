package metric

import (
	"fmt"
	"math"

	"tributary/shared/job"
	"tributary/shared/numeric"
)

// Figures holds the loss, under "loss", and the metrics of a split.
type Figures struct {
	Values    map[string]float64 // by name; finite
	Undefined map[string]string  // by name: a sentence that says why there is no value; nil if all values are there
	Confusion *job.Confusion     // the confusion matrix, if it is asked for and there are rows
}

// Combine returns the loss and the metrics that c lists, over all units in their order. The
// loss is the mean over the rows, or the sum if the objective is a sum. A figure has a
// reason instead of a value if it is not finite or cannot be computed: AUC of one class, R²
// of constant labels, a metric that does not fit the loss, or any figure of no rows.
//
// R² is 1 − Σ(ŷ−y)²/Σ(y−ȳ)² over all outputs, where ȳ is the mean of each output.
func (c Config) Combine(units []*Sums) Figures {
	var t Sums
	for _, u := range units {
		if u != nil {
			t.add(u)
		}
	}
	values, undefined := map[string]float64{}, map[string]string{}
	set := func(name string, v float64, why string) {
		if why != "" {
			undefined[name] = why
		} else {
			values[name] = v
		}
	}
	loss, why := c.loss(&t)
	set(job.LossFigure, loss, why)
	var f Figures
	for _, m := range c.Metrics {
		v, why := c.figure(m, &t)
		if m == job.ConfusionMatrix && why == "" {
			if f.Confusion, why = c.confusion(&t); why == "" {
				continue
			}
		}
		set(string(m), v, why)
	}
	f.Values, f.Undefined = job.FiniteFigures(values, undefined)
	return f
}

const noRows = "there are no rows"

// loss returns the loss of the totals t, or the reason why there is none.
func (c Config) loss(t *Sums) (loss float64, why string) {
	sum := t.rows
	if t.rows == 0 {
		return 0, noRows
	}
	if c.weighted() {
		if t.extra == nil {
			return 0, "the evaluation has no sums for it"
		}
		if sum = t.extra.units; sum == 0 {
			return 0, "it divides by the sum of the rows' weights, which is 0"
		}
	}
	return c.Objective.Mean(t.loss, sum), ""
}

// figure returns one metric of the totals t, or the reason why it cannot be computed. The
// value may be infinite or NaN.
func (c Config) figure(m job.Metric, t *Sums) (v float64, why string) {
	switch {
	case t.rows == 0:
		return 0, noRows
	case m.Classifies() != c.classifies():
		return 0, fmt.Sprintf("loss %s does not have this metric", c.Objective.Loss())
	case c.classifies() && m.Misfit(c.Objective.Classes(c.Outputs)) != "":
		classes := c.Objective.Classes(c.Outputs)
		return 0, fmt.Sprintf("%s, there are %d", m.Misfit(classes), classes)
	case t.extra == nil && (m.Later() || m == job.LogLoss && c.smoothed()):
		return 0, "the evaluation has no sums for it"
	}
	switch m {
	case job.Accuracy:
		return float64(t.correct) / float64(t.rows), ""
	case job.LogLoss:
		if c.smoothed() {
			return t.extra.logLoss / float64(t.rows), ""
		}
		return t.loss / float64(t.rows), ""
	case job.AUC:
		return t.auc(c.Classes)
	case job.AveragePrecision:
		return t.averagePrecision(c.Classes)
	case job.ConfusionMatrix:
		return 0, ""
	case job.Precision, job.Recall, job.F1:
		return c.overClasses(m, t)
	case job.Brier:
		return t.extra.brier / float64(t.rows), ""
	case job.CalibrationError:
		if t.extra.bins == nil {
			return 0, "the evaluation has no sums for it"
		}
		return calibrationError(t.extra.bins, t.rows), ""
	case job.Top5:
		return float64(t.extra.top) / float64(t.rows), ""
	case job.MAPE:
		if t.extra.zeros > 0 {
			return 0, fmt.Sprintf("it divides by the labels, and %d of them are 0 (up to the rounding of 32-bit floats)", t.extra.zeros)
		}
		n, _ := t.deviations()
		return t.extra.relative / n, ""
	case job.RMSE:
		n, _ := t.deviations()
		return math.Sqrt(t.squared / n), ""
	case job.MAE:
		n, _ := t.deviations()
		return t.abs / n, ""
	case job.R2:
		_, deviations := t.deviations()
		if deviations == 0 {
			return 0, fmt.Sprintf("it divides by the squared deviations of %d labels from their mean, which are 0 or only rounding: the labels are all the same, vary by no more than rounding, or differ by less than 1e-162", t.rows)
		}
		if math.IsInf(deviations, 1) {
			return deviations, "" // not 1 − x/∞ = 1
		}
		return 1 - t.squared/deviations, ""
	default:
		return 0, "this program does not know it"
	}
}

// add adds another unit to s.
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
	if u.extra != nil {
		if s.extra == nil {
			s.extra = &extra{}
		}
		s.extra.add(u.extra)
	}
}

// deviations returns the number of labels and the sum of their squared deviations from the
// mean of their output. The sum is 0 if the labels of every output are equal except for
// rounding, or if they differ by so little that the squares underflow.
func (s *Sums) deviations() (n, sum float64) {
	constant := true
	for _, p := range s.spread {
		n += float64(p.n)
		sum += p.m2
		constant = constant && numeric.Constant(p.m2/float64(p.n), p.mean, p.n)
	}
	if constant {
		sum = 0
	}
	return n, sum
}
