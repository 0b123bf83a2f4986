package plan

import (
	"errors"
	"fmt"

	"tributary/shared/job"
	"tributary/shared/model"
)

// Check reports everything in which the spec and the dataset do not fit,
// each wrapping job.ErrInvalid. Of a plan without faults [model.New] makes a network.
func (p *Plan) Check() error {
	var faults []error
	fault := func(format string, args ...any) {
		faults = append(faults, fmt.Errorf(format+": %w", append(args, job.ErrInvalid)...))
	}
	s, classes := &p.Spec, len(p.Dataset.Classes)
	last := len(s.Model.Layers) - 1
	units := 0
	if last >= 0 && s.Model.Layers[last].Dense != nil {
		units = s.Model.Layers[last].Dense.Units
	}
	at := fmt.Sprintf("model.layers[%d].dense.units: %d", last, units)
	switch s.Loss {
	case job.SoftmaxCrossEntropy:
		if units != classes {
			fault("%s: the label has %d classes, want as many units", at, classes)
		}
	case job.SigmoidCrossEntropy:
		if classes != 2 {
			fault("loss: %s wants a label of two classes, this one has %d; use %s", s.Loss, classes, job.SoftmaxCrossEntropy)
		} else if units != 1 {
			fault("%s: %s wants 1", at, s.Loss)
		}
	default:
		if units != p.Dataset.Targets {
			fault("%s: the label has %d columns, want as many units", at, p.Dataset.Targets)
		}
	}
	for i, m := range s.Metrics {
		if m == job.AUC && classes != 2 {
			fault("metrics[%d]: auc wants a label of two classes, this one has %d", i, classes)
		}
	}
	if rows := p.Dataset.Rows(job.Train); p.StepsPerEpoch() < 1 {
		fault("batch: %d: the training split has %d rows, and drop_last leaves out the only batch", s.Batch, rows)
	}
	if err := s.CheckSize(p.Dataset.Features); err != nil {
		faults = append(faults, err)
	}
	if len(faults) == 0 {
		if _, err := model.New(s.Model, s.Loss, p.Dataset.Features); err != nil {
			faults = append(faults, err)
		}
	}
	return errors.Join(faults...)
}
