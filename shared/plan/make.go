package plan

import (
	"errors"
	"fmt"

	"github.com/dustin/go-humanize"

	"tributary/shared/dataset"
	"tributary/shared/job"
	"tributary/shared/model"
)

// Weights is a function that checks the initial weights named by a spec against the tensors
// of its model. It stores them and returns their digest.
type Weights func(from string, tensors []model.Tensor) (job.Digest, error)

// Make makes the plan of a job from its spec without tags and notes, its dataset, and the
// number of parameters in a chunk of the ledger's vectors. If spec and dataset do not fit, it fails with
// job.ErrInvalid and reports every fault. It also returns the error of weights. Network and
// Layout do not fail for a plan that Make has made.
func Make(s *job.Spec, m *dataset.Manifest, chunkLen int, weights Weights) (*Plan, error) {
	p := &Plan{Spec: *s, Dataset: *m, ChunkLen: chunkLen, rows: m.Rows(job.Train)}
	p.Spec.Tags, p.Spec.Notes = nil, "" // they belong to the job's record
	p.require()
	network, err := p.check()
	if err != nil {
		return nil, err
	}
	if from := s.Model.Init.From; from != "" {
		if p.Init, err = weights(from, network.Tensors()); err != nil {
			return nil, err
		}
	}
	return p, nil
}

// Network compiles the plan's model.
func (p *Plan) Network() (*model.Network, error) {
	f, err := p.Fields()
	if err != nil {
		return nil, err
	}
	n, err := model.New(p.Spec.Model, f.Model()...)
	if err != nil {
		return nil, fmt.Errorf("compile model: %w", err)
	}
	return n, nil
}

// check returns the network. If the spec and the dataset do not fit, it reports every
// fault; each wraps job.ErrInvalid.
func (p *Plan) check() (*model.Network, error) {
	s, classes := &p.Spec, len(p.Dataset.Classes)
	var faults []error
	fault := func(format string, args ...any) {
		faults = append(faults, fmt.Errorf(format+": %w", append(args, job.ErrInvalid)...))
	}
	fields, err := p.Fields()
	if err != nil {
		return nil, err
	}
	front := fields.front()
	if err := p.fit(fields, front.Positions); err != nil {
		faults = append(faults, err)
	}
	if classes == 0 && fields.Schema[fields.Target].DType != dataset.Float32 {
		classes = p.units() // the target has integers without names
	}
	for i, m := range s.Metrics {
		if why := m.Misfit(classes); why != "" {
			fault("metrics[%d]: %s: %s, the label has %d", i, m, why, classes)
		}
	}
	if p.StepsPerEpoch() < 1 {
		fault("batch: %d: the training split has %d rows, and drop_last leaves out the only batch", s.Batch, p.TrainRows())
	} else if steps := p.Steps(); steps < 1 || steps > job.MaxJobSteps {
		fault("epochs or steps: the job would take %d steps, want 1 to %d", steps, job.MaxJobSteps)
	}
	if w := s.Schedule.WarmupSteps; w > 0 && w >= p.Steps() && p.StepsPerEpoch() > 0 {
		fault("schedule.warmup_steps: %d: the job has %d steps, want fewer", w, p.Steps())
	}
	if s.Monitors() && len(p.Dataset.Splits[job.Validation]) == 0 {
		fault("data.split.validation: %v: early_stopping and reduce_on_plateau follow the validation split, which has no rows", s.Data.Split.Validation)
	}
	if s.Threshold != nil && (classes != 2 || len(p.Dataset.Splits[job.Validation]) == 0) {
		fault("threshold: the label has %d classes, the validation split %d rows: want 2 classes and rows", classes, p.Dataset.Rows(job.Validation))
	}
	if err := s.CheckSize(front.Units); err != nil {
		faults = append(faults, err)
	}
	if len(faults) > 0 {
		return nil, errors.Join(faults...)
	}
	n, err := model.New(s.Model, fields.Model()...)
	if err != nil {
		return nil, err
	}
	return n, p.holds(n)
}

// maxHeld is the most memory, in bytes, that the values of a micro-batch may take if a layer
// is batchwise.
const maxHeld = 1 << 30

// holds fails with job.ErrInvalid if a batchwise layer would keep too much at once.
func (p *Plan) holds(n *model.Network) error {
	if len(n.Batchwise()) == 0 {
		return nil
	}
	m := max(1, p.Spec.Microbatches)
	rows := (min(p.Spec.Batch, p.TrainRows()) + m - 1) / m
	if bytes := 4 * int64(n.Held()) * int64(rows); bytes > maxHeld {
		return fmt.Errorf("microbatches: %d: batch_norm keeps %s of a micro-batch of %d rows at once, want at most %s: more microbatches: %w",
			m, humanize.IBytes(uint64(bytes)), rows, humanize.IBytes(maxHeld), job.ErrInvalid)
	}
	return nil
}

// fit fails with job.ErrInvalid if the outputs do not fit the loss or the target. Every
// layer has the positions of the input.
func (p *Plan) fit(fields Fields, positions int) error {
	of, err := p.Objective()
	if err != nil {
		return err
	}
	path := fmt.Sprintf("model.layers[%d].dense.units", len(p.Spec.Model.Layers)-1)
	return fields.fit(of, path, model.Shape{Positions: positions, Units: p.units()}, len(p.Dataset.Classes))
}

// units returns the units of the last layer; 0 if it is not dense.
func (p *Plan) units() int {
	last := len(p.Spec.Model.Layers) - 1
	if last < 0 || p.Spec.Model.Layers[last].Dense == nil {
		return 0
	}
	return p.Spec.Model.Layers[last].Dense.Units
}
