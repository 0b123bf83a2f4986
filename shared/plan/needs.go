package plan

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"tributary/shared/job"
)

// Operation is something that a plan can ask for and that older programs do not know: a
// kind of layer, an optimizer, a way to sum up.
type Operation struct {
	Capability job.Capability
	Used       func(*job.Spec) bool // reports whether a job asks for it
}

// Operations lists the operations beyond the base set that this program knows, in the order
// in which versions of the program learned them. A new version appends to it; nothing is
// ever removed. It does not change while the program runs.
var Operations = []Operation{
	{Capability: "frozen", Used: freezes},
	{Capability: "layers", Used: func(s *job.Spec) bool {
		for _, l := range s.Model.All() {
			if _, d := l.Product(); d == nil && l.BatchNorm == nil && !l.Images() || d != nil && d.Activation.Later() {
				return true
			}
		}
		return false
	}},
	{Capability: "schedule", Used: func(s *job.Spec) bool { return !s.Schedule.Constant() }},
	{Capability: "losses", Used: losesOtherwise},
	{Capability: "metrics", Used: measuresMore},
	{Capability: "optimizers", Used: optimizes}, // RMSprop, Adagrad, Lion, clip_value, decay_bias, kernel_regularizer
	{Capability: "embeddings", Used: func(s *job.Spec) bool { return s.Data.Transform.Categorical.Embed > 0 }},
	{Capability: "monitor", Used: func(s *job.Spec) bool { // early_stopping, reduce_on_plateau and ema_momentum
		c := s.Optimizer.Common()
		return s.Monitors() || c != nil && c.EMAMomentum != 0
	}},
	{Capability: cells, Used: func(s *job.Spec) bool { // data.csv, data.columns and the formats after idx
		d := &s.Data
		return d.CSV != nil || len(d.Columns) > 0 || d.Format == job.JSONL || d.Format == job.Parquet
	}},
	{Capability: "batchnorm", Used: normalizesBatches},
	{Capability: "splits", Used: func(s *job.Spec) bool { // data.validation, other splits than random ones by fractions, going on, stopping by time, and a decision threshold
		return s.Data.Validation != "" || s.Data.Split.Extended() || s.Continue != nil || s.Stop != nil || s.Threshold != nil || s.Checkpoint.Final != nil
	}},
	{Capability: "hashing", Used: func(s *job.Spec) bool { // hashed columns, the expected calibration error, and data.libsvm
		if slices.Contains(s.Metrics, job.CalibrationError) || s.Data.LIBSVM != nil {
			return true
		}
		return slices.ContainsFunc(slices.Sorted(maps.Keys(s.Data.Columns)), func(name string) bool { return s.Data.Columns[name].Hash > 0 })
	}},
	{Capability: "images", Used: func(s *job.Spec) bool { // convolutions, pooling, flatten and reshape
		for _, l := range s.Model.All() {
			if l.Images() {
				return true
			}
		}
		return false
	}},
}

// cells is the capability of a preprocessing that reads cells in other forms than plain
// numbers and texts.
const cells job.Capability = "cells"

// NeedsOf lists the operations beyond the base set that a job of the spec needs.
func NeedsOf(s *job.Spec) (needs []job.Capability) {
	for _, o := range Operations {
		if o.Used(s) {
			needs = append(needs, o.Capability)
		}
	}
	return needs
}

// needs lists the operations that the plan needs: those of its spec, and what was found in
// its data.
func (p *Plan) needs() (needs []job.Capability) {
	for _, o := range Operations {
		if o.Used(&p.Spec) || o.Capability == cells && p.Dataset.Preprocessing.ReadsForms() {
			needs = append(needs, o.Capability)
		}
	}
	return needs
}

// normalizesBatches reports whether the spec has a batch normalisation.
func normalizesBatches(s *job.Spec) bool {
	for _, l := range s.Model.All() {
		if l.BatchNorm != nil {
			return true
		}
	}
	return false
}

// freezes reports whether the spec has a layer that is not trained.
func freezes(s *job.Spec) bool {
	for _, l := range s.Model.All() {
		if _, d := l.Product(); d != nil && d.Frozen() || slices.ContainsFunc(l.Norms(), (*job.Norm).Frozen) {
			return true
		}
	}
	return false
}

// losesOtherwise reports whether the spec has a loss beyond the first four, smooths labels,
// has the focal loss, weights of classes or rows, or several labels.
func losesOtherwise(s *job.Spec) bool {
	switch s.Loss {
	case job.AbsoluteError, job.Huber, job.Quantile, job.Poisson, job.MultilabelCrossEntropy:
		return true
	default:
		return s.LabelSmoothing != 0 || s.FocalGamma != 0 || !s.ClassWeights.IsZero() || s.Data.Weight != "" || len(s.Data.Label) > 1
	}
}

// measuresMore reports whether the spec has a metric beyond the first six.
func measuresMore(s *job.Spec) bool {
	return slices.ContainsFunc(s.Metrics, job.Metric.Later)
}

// optimizes reports whether the spec has an optimizer, or an option of one, beyond the base
// set, or penalties of weights. They are one operation, because a program learns all of them at once, and each
// operation costs every worker some queues to listen to.
func optimizes(s *job.Spec) bool {
	o := &s.Optimizer
	c := o.Common()
	for _, l := range s.Model.All() {
		if _, d := l.Product(); d != nil && d.Penalized() {
			return true
		}
	}
	return o.RMSprop != nil || o.Adagrad != nil || o.Lion != nil || c != nil && (c.ClipValue != 0 || c.SparesBias())
}

// Capabilities lists the operations that this program knows.
func Capabilities() []job.Capability {
	known := make([]job.Capability, len(Operations))
	for i, o := range Operations {
		known[i] = o.Capability
	}
	return known
}

// Unknown lists the given capabilities that this program does not know.
func Unknown(capabilities []job.Capability) []job.Capability {
	known := Capabilities()
	return slices.DeleteFunc(slices.Clone(capabilities), func(c job.Capability) bool { return slices.Contains(known, c) })
}

// require sets Needs, and Version to the oldest version of the format that can express
// them. A program that has no operations then reads every plan that it knows, and refuses
// the others.
func (p *Plan) require() {
	p.Version, p.Needs = Version, p.needs()
	if len(p.Needs) > 0 {
		p.Version = versionOfNeeds
	}
}

// understood fails if this program does not know everything that a plan of that version
// needs: job.ErrUnsupported for unknown needs, job.ErrCorrupt if version and needs
// contradict each other.
func understood(version int, needs []job.Capability) error {
	if (version == versionOfNeeds) != (len(needs) > 0) {
		return fmt.Errorf("plan of version %d has %d needs; one of version %d has some, and no other has any: %w", version, len(needs), versionOfNeeds, job.ErrCorrupt)
	}
	if unknown := Unknown(needs); len(unknown) > 0 {
		return fmt.Errorf("plan needs %s; this program does not know %s: %w", words(needs), words(unknown), job.ErrUnsupported)
	}
	return nil
}

// words joins capabilities for a message.
func words(capabilities []job.Capability) string {
	all := make([]string, len(capabilities))
	for i, c := range capabilities {
		all[i] = string(c)
	}
	return strings.Join(all, ", ")
}
