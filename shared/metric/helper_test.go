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

// unit counts rows at once; their loss is said to be loss.
func (c Config) unit(outputs, y []float32, rows int, loss float64) *Sums {
	k := c.Count()
	k.Add(outputs, y, rows)
	s := k.Sums()
	s.loss = loss
	return s
}
