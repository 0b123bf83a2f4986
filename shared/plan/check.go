package plan

import (
	"errors"
	"fmt"

	"tributary/shared/blob"
	"tributary/shared/job"
	"tributary/shared/model"
	"tributary/shared/tree"
)

// Bounds of what a plan divides by and makes room for; what people may ask for is
// narrower.
const (
	maxChunkLen = 1 << 24 // parameters in a chunk: 64 MiB
	maxBatch    = 1 << 20 // rows
	maxCount    = 1e9     // epochs and steps
)

// validate reports the first thing in a plan's bytes that its arithmetic cannot stand,
// as if a stranger had written them. It wraps job.ErrCorrupt.
func (p *Plan) validate() error {
	s := &p.Spec
	for _, n := range []struct {
		name        string
		value       int64
		least, most int64
	}{
		{"chunk_len", int64(p.ChunkLen), 1, maxChunkLen},
		{"spec.batch", int64(s.Batch), 1, maxBatch},
		{"spec.microbatches", int64(s.Microbatches), 1, int64(min(max(1, s.Batch), tree.MaxLeaves))},
		{"spec.epochs", int64(s.Epochs), 0, maxCount},
		{"spec.steps", s.Steps, 0, maxCount},
		{"spec.evaluate.every_epochs", int64(s.Evaluate.EveryEpochs), 0, maxCount},
		{"spec.evaluate.every_steps", s.Evaluate.EverySteps, 0, maxCount},
		{"spec.checkpoint.every_steps", s.Checkpoint.EverySteps, 0, maxCount},
		{"spec.checkpoint.every_seconds", s.Checkpoint.EverySeconds, 0, maxCount},
		{"spec.checkpoint.keep", int64(s.Checkpoint.Keep), 0, maxCount},
	} {
		if n.value < n.least || n.value > n.most {
			return fmt.Errorf("%s: %d: want %d to %d: %w", n.name, n.value, n.least, n.most, job.ErrCorrupt)
		}
	}
	if p.Init != "" && !blob.IsDigest(p.Init) {
		return fmt.Errorf("init: %.80q: that is no digest: %w", string(p.Init), job.ErrCorrupt)
	}
	if err := p.Dataset.Validate(); err != nil {
		return err
	}
	if p.StepsPerEpoch() < 1 || p.Steps() < 1 {
		return fmt.Errorf("it has %d steps an epoch and %d in all: want 1 or more: %w", p.StepsPerEpoch(), p.Steps(), job.ErrCorrupt)
	}
	return nil
}

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
