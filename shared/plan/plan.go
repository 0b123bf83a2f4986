// Package plan is everything that a worker must know about a job: the spec and the ingested
// dataset, both immutable and content-addressed, and what follows from them.
//
// It owns the arithmetic of steps, epochs, batches and micro-batches. The coordinator makes
// a plan once. Every process derives the same values from it.
//
// Invariant: a plan's bytes have one digest, and tasks carry it. Everything in this package
// is a pure function of the plan.
package plan

import (
	"encoding/json"
	"fmt"
	"slices"

	"tributary/shared/blob"
	"tributary/shared/dataset"
	"tributary/shared/job"
)

// Plan describes a job after ingest.
type Plan struct {
	Version int `json:"version"`
	// Needs are the operations beyond the base set that the plan asks for; see require.
	Needs   []job.Capability `json:"needs,omitempty"`
	Spec    job.Spec         `json:"spec"`
	Dataset dataset.Manifest `json:"dataset"`
	Init    job.Digest       `json:"init,omitempty"` // blob of the given initial weights (safetensors)
	// ChunkLen is the number of parameters in a chunk of a vector in the ledger.
	ChunkLen int `json:"chunk_len"`

	rows int // rows of the training split; 0: not counted yet
}

// Version is the version of the plan format. versionOfNeeds is the version of plans that
// need more than the base set.
const (
	Version        = 1
	versionOfNeeds = 2
)

// Encode returns the plan's bytes and their digest.
func (p *Plan) Encode() ([]byte, job.Digest, error) {
	data, err := json.Marshal(p)
	if err != nil {
		return nil, "", fmt.Errorf("encode plan: %w", err)
	}
	return data, blob.DigestOf(data), nil
}

// Decode reads a plan's bytes. It fails with job.ErrUnsupported if the plan asks for
// anything that this program does not know, and with job.ErrCorrupt if the bytes are not a
// plan. It never ignores what it does not know, because that could change a result.
func Decode(data []byte) (*Plan, error) {
	if err := readable(data); err != nil {
		return nil, err
	}
	var p Plan
	if err := json.Unmarshal(data, &p); err != nil {
		return nil, fmt.Errorf("decode plan: %w: %w", err, job.ErrCorrupt)
	}
	if err := p.known(data); err != nil {
		return nil, fmt.Errorf("plan: %w", err)
	}
	if needs := p.needs(); !slices.Equal(needs, p.Needs) {
		return nil, fmt.Errorf("plan lists needs %q; its spec needs %q: %w", p.Needs, needs, job.ErrCorrupt)
	}
	if err := p.validate(); err != nil {
		return nil, fmt.Errorf("plan: %w", err)
	}
	p.rows = p.Dataset.Rows(job.Train)
	return &p, nil
}

// Blobs lists the blobs that the plan names: the blocks and the initial weights.
func (p *Plan) Blobs() []job.Digest {
	var all []job.Digest
	if p.Init != "" {
		all = append(all, p.Init)
	}
	for _, split := range job.Splits {
		for _, b := range p.Dataset.Splits[split] {
			all = append(all, b.Digest)
		}
	}
	return all
}

// TrainRows returns the number of rows of the training split. A plan from Make or Decode
// knows the number; for any other plan, TrainRows counts.
func (p *Plan) TrainRows() int {
	if p.rows > 0 {
		return p.rows
	}
	return p.Dataset.Rows(job.Train)
}

// StepsPerEpoch returns the number of batches in an epoch; the last may be short.
func (p *Plan) StepsPerEpoch() int64 {
	rows, batch := int64(p.TrainRows()), int64(p.Spec.Batch)
	if p.Spec.DropLast {
		return rows / batch
	}
	return (rows + batch - 1) / batch
}

// Steps returns the number of steps of the whole job.
func (p *Plan) Steps() int64 {
	if p.Spec.Steps > 0 {
		return p.Spec.Steps
	}
	return int64(p.Spec.Epochs) * p.StepsPerEpoch()
}

// Batch returns the epoch that step is in and the half-open range of positions
// in that epoch's order that make up its global batch.
func (p *Plan) Batch(step int64) (epoch int64, lo, hi int) {
	per := p.StepsPerEpoch()
	epoch = step / per
	lo = int(step%per) * p.Spec.Batch
	return epoch, lo, min(lo+p.Spec.Batch, p.TrainRows())
}

// Microbatch returns the half-open range of the micro-batch of leaf, within a batch of rows
// positions. The batch is split into M micro-batches of sizes as equal as possible.
func (p *Plan) Microbatch(rows, leaf int) (lo, hi int) {
	m := p.Spec.Microbatches
	return rows * leaf / m, rows * (leaf + 1) / m
}

// EvaluateAfter reports whether the validation split is evaluated after the given number of
// steps is committed. It does not report the final evaluation.
func (p *Plan) EvaluateAfter(steps int64) bool {
	if len(p.Dataset.Splits[job.Validation]) == 0 || steps == 0 || steps >= p.Steps() {
		return false
	}
	e := p.Spec.Evaluate
	if e.EverySteps > 0 {
		return steps%e.EverySteps == 0
	}
	return e.EveryEpochs > 0 && steps%(int64(e.EveryEpochs)*p.StepsPerEpoch()) == 0
}

// LastEvaluation returns the number of steps, at most the given number, after which the
// validation split was evaluated last; 0 if it was not. It includes the evaluation after
// the last step.
func (p *Plan) LastEvaluation(steps int64) int64 {
	if len(p.Dataset.Splits[job.Validation]) == 0 {
		return 0
	}
	if steps >= p.Steps() {
		return p.Steps()
	}
	every := p.Spec.Evaluate.EverySteps
	if every == 0 {
		every = int64(p.Spec.Evaluate.EveryEpochs) * p.StepsPerEpoch()
	}
	if every == 0 {
		return 0
	}
	return steps - steps%every
}
