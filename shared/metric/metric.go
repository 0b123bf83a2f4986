// Package metric is the figures reported beside the loss: accuracy, RMSE, MAE,
// R², AUC and log loss.
//
// It owns what a block of a split contributes to them, its bytes, and how
// contributions combine. It computes from outputs and labels; making outputs
// is package model's. Package gradient makes units on workers, the coordinator
// and the one-process reference combine them.
//
// Invariant: a combination depends on the units and their order alone. Each figure
// that was asked for is there, as a finite number or as a reason why there is none.
package metric

import (
	"slices"

	"tributary/shared/dataset"
	"tributary/shared/job"
	"tributary/shared/objective"
)

// Config says which figures, of what.
type Config struct {
	Objective objective.Objective
	Metrics   []job.Metric
	Outputs   int      // columns of the outputs
	Classes   []string // names of the classes, for reasons; may be nil
	// Label's Scale and Shift bring regression values back to original units,
	// in which their metrics are; Scale 0 is taken for 1.
	Label dataset.Column
}

// Sums is what one unit, a block of a split, contributes.
type Sums struct {
	rows    int64
	loss    float64   // sum of the rows' losses
	correct int64     // classification: rows whose predicted class is right
	squared float64   // regression: Σ (ŷ−y)² over rows and outputs
	abs     float64   // regression: Σ |ŷ−y|
	spread  []spread  // regression: of y, per output
	scores  []float32 // AUC: [rows] of the second class
	second  []bool    // AUC: [rows] whether the row is of the second class
}

// wants reports whether a metric is asked for.
func (c Config) wants(m job.Metric) bool { return slices.Contains(c.Metrics, m) }

// Counter counts a unit, piece after piece of its rows.
type Counter struct {
	c    Config
	sums Sums
	loss objective.Sum
}

// Count begins a unit.
func (c Config) Count() *Counter { return &Counter{c: c} }

// Add counts more rows: outputs [rows, Outputs] as the model made them, y [rows] classes
// or [rows, Outputs] targets. The outputs of every piece but the last have a multiple of 16
// elements.
func (k *Counter) Add(outputs, y []float32, rows int) {
	c, s := k.c, &k.sums
	outputs = outputs[:rows*c.Outputs]
	c.Objective.Add(&k.loss, nil, outputs, y, c.Outputs)
	s.rows += int64(rows)
	if !c.classifies() {
		c.regress(s, outputs, y)
		return
	}
	for r := range rows {
		if float32(c.Objective.Class(outputs[r*c.Outputs:(r+1)*c.Outputs])) == y[r] {
			s.correct++
		}
	}
	if c.wants(job.AUC) && c.binary() {
		s.rank(outputs, y, rows, c.Outputs)
	}
}

// Sums is what the unit contributes.
func (k *Counter) Sums() *Sums {
	s := k.sums
	s.loss = k.c.Objective.Value(&k.loss, k.c.Outputs)
	return &s
}

// classifies reports whether the outputs are of classes.
func (c Config) classifies() bool { return c.Objective.Classes(c.Outputs) > 0 }

// binary reports whether there are two classes to rank.
func (c Config) binary() bool { return c.Objective.Classes(c.Outputs) == 2 }

// rank collects the scores of rows of n logits: the logit of the second class less that of
// the first.
func (s *Sums) rank(outputs, y []float32, rows, n int) {
	for r := range rows {
		score := outputs[r*n]
		if n == 2 {
			score = outputs[2*r+1] - outputs[2*r]
		}
		s.scores, s.second = append(s.scores, score), append(s.second, y[r] == 1)
	}
}
