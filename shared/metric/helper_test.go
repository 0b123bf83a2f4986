package metric

import (
	"tributary/shared/job"
	"tributary/shared/objective"
)

func of(loss job.Loss) objective.Objective {
	o, err := objective.Of(loss)
	if err != nil {
		panic(err)
	}
	return o
}

func smooth(smoothing float64) objective.Objective {
	o, err := objective.For(&job.Spec{Loss: job.SoftmaxCrossEntropy, LabelSmoothing: smoothing})
	if err != nil {
		panic(err)
	}
	return o
}

// unit counts rows in one piece. It sets their loss to loss.
func (c Config) unit(outputs, y []float32, rows int, loss float64) *Sums {
	k := c.Count()
	k.Add(outputs, y, rows)
	s := k.Sums()
	s.loss = loss
	return s
}
