package plan

import (
	"fmt"
	"time"

	"tributary/shared/blob"
	"tributary/shared/job"
	"tributary/shared/tree"
)

// Limits of numbers that a plan divides by or allocates for. The limits for users are
// narrower.
const (
	maxChunkLen = 1 << 24 // parameters in a chunk: 64 MiB
	maxBatch    = 1 << 20 // rows
	maxCount    = 1e9     // epochs and steps
)

// validate reports the first value in a plan's bytes that would break its arithmetic. It
// does not trust the bytes. The error wraps job.ErrCorrupt.
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
		{"spec.stop.after_seconds", int64(s.Stop.After() / time.Second), 0, maxCount},
		{"spec.checkpoint.every_steps", s.Checkpoint.EverySteps, 0, maxCount},
		{"spec.checkpoint.every_seconds", s.Checkpoint.EverySeconds, 0, maxCount},
		{"spec.checkpoint.keep", int64(s.Checkpoint.Keep), 0, maxCount},
	} {
		if n.value < n.least || n.value > n.most {
			return fmt.Errorf("%s: %d: want %d to %d: %w", n.name, n.value, n.least, n.most, job.ErrCorrupt)
		}
	}
	if err := s.Schedule.Validate(); err != nil {
		return fmt.Errorf("spec: %w: %w", err, job.ErrCorrupt)
	}
	if p.Init != "" && !blob.IsDigest(p.Init) {
		return fmt.Errorf("init: %.80q: that is no digest: %w", string(p.Init), job.ErrCorrupt)
	}
	if c := s.Continue; c != nil && !blob.IsDigest(c.Plan) {
		return fmt.Errorf("spec.continue.plan: %.80q: that is no digest: %w", string(c.Plan), job.ErrCorrupt)
	}
	if err := p.Dataset.Validate(); err != nil {
		return err
	}
	if p.StepsPerEpoch() < 1 || p.Steps() < 1 {
		return fmt.Errorf("it has %d steps an epoch and %d in all: want 1 or more: %w", p.StepsPerEpoch(), p.Steps(), job.ErrCorrupt)
	}
	return nil
}
