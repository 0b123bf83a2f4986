package job

// Standing is how far a job has come.
type Standing struct {
	Step     int64   `json:"step"`     // steps committed
	Progress float64 `json:"progress"` // the fraction of the steps that are committed, 0 to 1
	// Loss is the training loss of the batch of the newest step. Of a job that has
	// succeeded it is the loss over the training split.
	Loss    *float64                     `json:"loss,omitempty"`
	Metrics map[Split]map[string]float64 `json:"metrics,omitempty"` // newest evaluation of each split, with the loss
}

// Standing returns how far the job has come, as far as the record says it: its outcome, or
// its newest checkpoint.
func (r *Record) Standing() Standing {
	switch {
	case r.Outcome != nil:
		o := r.Outcome
		return Standing{Step: o.Steps, Progress: Fraction(o.Steps, o.Steps), Loss: o.TrainLoss, Metrics: o.Metrics}
	case len(r.Checkpoints) > 0:
		step := r.Checkpoints[0].Step
		return Standing{Step: step, Progress: Fraction(step, r.Steps)}
	default:
		return Standing{}
	}
}

// Fraction returns step/steps, within 0 and 1. It is 0 if steps is 0, which means that the
// number is not known.
func Fraction(step, steps int64) float64 {
	if steps <= 0 {
		return 0
	}
	return min(1, max(0, float64(step)/float64(steps)))
}
