// Package metric computes the figures that are reported beside the loss: accuracy (also of
// the five most likely classes), precision, recall, F1, AUC, average precision, Brier
// score, expected calibration error, log loss and confusion matrix of classes; RMSE, MAE, MAPE and R² of numbers.
//
// It owns what a block of a split contributes to the figures, the encoding of these
// contributions, and how they combine. It computes from outputs and labels; package
// executor computes the outputs. Package gradient makes the contributions (units) on
// workers. The coordinator and package serial combine them.
//
// Invariant: a combination depends only on the units and their order. Each requested figure
// is present, as a finite number (a table for the confusion matrix) or as a reason why there
// is none.
package metric

import (
	"maps"
	"slices"

	"tributary/shared/dataset"
	"tributary/shared/job"
	"tributary/shared/objective"
)

// Config says which figures to compute, and for which objective and outputs.
type Config struct {
	Objective objective.Objective
	Metrics   []job.Metric
	Outputs   int      // columns of the outputs
	Classes   []string // names of the classes, for reasons; may be nil
	// Label's Scale and Shift convert regression values back to their original units. The
	// metrics of a regression are in these units. Scale 0 means 1.
	Label dataset.Column
	// Labels describe the outputs after the first, if the label has several columns.
	Labels []dataset.Column
	// Threshold says that a decision threshold is chosen, for which units keep the scores of
	// their rows.
	Threshold bool
}

// Sums is the contribution of one unit. A unit is a block of a split.
type Sums struct {
	rows    int64
	loss    float64   // sum of the rows' losses
	correct int64     // classification: rows whose predicted class is right
	squared float64   // regression: Σ (ŷ−y)² over rows and outputs
	abs     float64   // regression: Σ |ŷ−y|
	spread  []spread  // regression: of y, one per output
	scores  []float32 // AUC and average precision: [rows] of the second class
	second  []bool    // the same: [rows] whether the row is of the second class
	extra   *extra    // for later metrics; nil without them
}

// wants reports whether the config lists a metric.
func (c Config) wants(m job.Metric) bool { return slices.Contains(c.Metrics, m) }

// Counter accumulates a unit, one piece of its rows after the other.
type Counter struct {
	c       Config
	sums    Sums
	loss    objective.Sum
	logLoss objective.Sum          // if it is not the loss
	counts  map[uint32]*classCount // by class
	pairs   map[[2]uint32]int64    // rows, by class and predicted class
}

// Count returns a counter for a new unit.
func (c Config) Count() *Counter {
	k := &Counter{c: c}
	if c.extended() {
		k.sums.extra = &extra{}
	}
	return k
}

// Add adds more rows: outputs [rows, Outputs] of the model, and y, which is classes [rows]
// or targets [rows, Outputs]. The outputs of every piece except the last have a multiple of
// 16 elements.
func (k *Counter) Add(outputs, y []float32, rows int) {
	c, s := k.c, &k.sums
	outputs = outputs[:rows*c.Outputs]
	c.Objective.Add(&k.loss, nil, outputs, y, c.Outputs)
	s.rows += int64(rows)
	if sum, weighted := c.Objective.Units(y); weighted {
		s.extra.units += sum
	}
	y = c.Objective.Labels(y)
	if !c.classifies() {
		c.regress(s, c.Objective.Numbers(outputs), y)
		return
	}
	for r := range rows {
		class := c.Objective.Class(outputs[r*c.Outputs : (r+1)*c.Outputs])
		if float32(class) == y[r] {
			s.correct++
		}
		if c.perClass() {
			k.tally(class, y[r])
		}
		if c.wants(job.ConfusionMatrix) {
			k.pair(class, y[r])
		}
	}
	k.classify(outputs, y[:rows])
	if (c.Threshold || c.wants(job.AUC) || c.wants(job.AveragePrecision)) && c.binary() {
		s.rank(outputs, y, rows, c.Outputs)
	}
}

// Sums returns the contribution of the unit.
func (k *Counter) Sums() *Sums {
	s := k.sums
	s.loss = k.c.Objective.Value(&k.loss, k.c.Outputs)
	if s.extra == nil {
		return &s
	}
	e := *s.extra
	if of, differs := k.c.Objective.LogLoss(); differs {
		e.logLoss = of.Value(&k.logLoss, k.c.Outputs)
	}
	for _, class := range slices.Sorted(maps.Keys(k.counts)) {
		e.classes = append(e.classes, *k.counts[class])
	}
	for _, pair := range slices.SortedFunc(maps.Keys(k.pairs), func(a, b [2]uint32) int { return slices.Compare(a[:], b[:]) }) {
		e.pairs = append(e.pairs, pairCount{pair[0], pair[1], k.pairs[pair]})
	}
	s.extra = &e
	return &s
}

// classifies reports whether the outputs stand for classes.
func (c Config) classifies() bool { return c.Objective.Classes(c.Outputs) > 0 }

// binary reports whether there are two classes.
func (c Config) binary() bool { return c.Objective.Classes(c.Outputs) == 2 }

// rank collects the score of each row of n logits: the logit of the second class minus that
// of the first. A single logit is the score itself.
func (s *Sums) rank(outputs, y []float32, rows, n int) {
	for r := range rows {
		s.scores, s.second = append(s.scores, Score(outputs[r*n:(r+1)*n])), append(s.second, y[r] == 1)
	}
}
