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
)

// Config says which figures, of what.
type Config struct {
	Loss    job.Loss
	Metrics []job.Metric
	Outputs int      // columns of the outputs
	Classes []string // names of the classes, for reasons; may be nil
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

// Unit returns the sums of rows rows: outputs [rows, Outputs] as the model
// made them, y [rows] classes or [rows, Outputs] targets, loss the rows' sum.
func (c Config) Unit(outputs, y []float32, rows int, loss float64) *Sums {
	s := &Sums{rows: int64(rows), loss: loss}
	if !c.Loss.Classifies() {
		c.regress(s, outputs[:rows*c.Outputs], y)
		return s
	}
	for r := range rows {
		if predicted(outputs[r*c.Outputs:(r+1)*c.Outputs]) == y[r] {
			s.correct++
		}
	}
	if c.wants(job.AUC) && c.binary() {
		s.rank(outputs, y, c.Outputs)
	}
	return s
}

// binary reports whether there are two classes to rank.
func (c Config) binary() bool {
	return c.Loss == job.SigmoidCrossEntropy || c.Loss == job.SoftmaxCrossEntropy && c.Outputs == 2
}

// predicted returns the class of one row of logits: the first of the greatest,
// or for a single logit whether it is above 0. NaN among them is no class, −1.
func predicted(logits []float32) float32 {
	best := 0
	for i, v := range logits {
		if v != v {
			return -1
		}
		if v > logits[best] {
			best = i
		}
	}
	if len(logits) == 1 && logits[0] > 0 {
		return 1
	}
	return float32(best)
}

// rank collects the scores of rows of n logits: the logit of the second class
// less that of the first.
func (s *Sums) rank(outputs, y []float32, n int) {
	s.scores, s.second = make([]float32, s.rows), make([]bool, s.rows)
	for r := range s.scores {
		if n == 1 {
			s.scores[r] = outputs[r]
		} else {
			s.scores[r] = outputs[2*r+1] - outputs[2*r]
		}
		s.second[r] = y[r] == 1
	}
}
