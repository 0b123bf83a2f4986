package registry

import (
	"tributary/shared/job"
	"tributary/shared/metric"
)

// decide returns the class of a row of outputs [Outputs], which are numbers: that of the
// decision threshold if the model has one, or else the given one.
func (c *Card) decide(z []float32, class int) int {
	if c.Threshold == nil || len(c.Classes) != 2 || len(z) > 2 {
		return class
	}
	if metric.Score(z) >= c.Threshold.Logit {
		return 1
	}
	return 0
}

// threshold returns what the model's decision threshold does to the rows of all units; nil if
// it has none.
func (e *evaluation) threshold() *Decided {
	t := e.m.Card.Threshold
	if t == nil {
		return nil
	}
	return &Decided{Probability: t.Probability, ThresholdFigures: e.config.At(e.units, t.Logit)}
}

// Decided is what a decision threshold does to rows.
type Decided struct {
	Probability float32 `json:"probability"` // of the second class, from which on a row is taken for that class
	job.ThresholdFigures
}
