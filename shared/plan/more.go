package plan

import (
	"fmt"

	"tributary/shared/job"
)

// More returns the plan of a job that goes on where the job id with this plan ended, after
// the given number of steps, and takes so many epochs more. Its first steps are those of p,
// to the bit. It fails with job.ErrInvalid, in words, if that cannot be.
func (p *Plan) More(id job.ID, taken int64, epochs int) (*Plan, error) {
	s := p.Spec
	total := p.Steps()
	switch field := s.Schedule.DependsOnLength(); {
	case epochs < 1:
		return nil, fmt.Errorf("%d more epochs: want at least 1: %w", epochs, job.ErrInvalid)
	case taken < 1 || taken > total:
		return nil, fmt.Errorf("job %s has taken %d of %d steps: want 1 or more: %w", id, taken, total, job.ErrInvalid)
	case field != "":
		return nil, fmt.Errorf("job %s has %s, whose learning rates depend on the length of the whole job, so that its first steps would be others in a longer job: "+
			"want a schedule with a length of its own (as steps of linear or cosine), or train the longer job from the start: %w", id, field, job.ErrInvalid)
	case taken < total && s.EarlyStopping != nil:
		return nil, fmt.Errorf("job %s stopped early, after %d of %d steps, and a longer one would stop at the same step: "+
			"train it again with a greater early_stopping.patience, or start from its parameters (model.init.from: job:%s): %w", id, taken, total, id, job.ErrInvalid)
	}
	encoded, origin, err := p.Encode()
	if err != nil {
		return nil, err
	}
	if s.Continue != nil {
		origin = s.Continue.Plan
	}
	more, err := Decode(encoded) // a copy
	if err != nil {
		return nil, err
	}
	more.Spec.ID = ""
	more.Spec.Continue = &job.Continuation{Job: id, Plan: origin, Steps: taken}
	if s.Steps > 0 {
		more.Spec.Steps += int64(epochs) * p.StepsPerEpoch()
	} else {
		more.Spec.Epochs += epochs
	}
	if err := more.Spec.Validate(); err != nil {
		return nil, err
	}
	more.require()
	if _, err := more.check(); err != nil {
		return nil, err
	}
	return more, nil
}

// origin returns the digest of the plan from which the log's chain starts, if it is that of
// another job; "" if it is the plan's own.
func (p *Plan) origin() job.Digest {
	if c := p.Spec.Continue; c != nil {
		return c.Plan
	}
	return ""
}
