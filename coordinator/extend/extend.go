// Package extend gives a finished job more epochs: it makes the record of a new job that
// goes on from the training state of the finished one.
//
// It owns the check that this is possible, and the new job's first checkpoint. It leaves the
// record's storage to its callers, coordinator/api and coordinator/train, and the training to
// coordinator/run, for which the new job is one that has lost its ledger.
//
// Invariant: the steps of the finished job are the first steps of the new job, to the bit. So
// the new job ends with the bits of a job that has all epochs from the start.
package extend

import (
	"cmp"
	"context"
	"fmt"
	"time"

	"tributary/shared/blob"
	"tributary/shared/checkpoint"
	"tributary/shared/job"
	"tributary/shared/plan"
	"tributary/shared/spec"
)

// Job names the job to make.
type Job struct {
	ID     job.ID // "" makes one from the name
	Run    job.Run
	NewID  func(name string) job.ID
	Epochs int // more than the finished job has
	Now    time.Time
}

// Record writes the new job's checkpoint into the store and returns its record, which is not
// stored yet. The store has the plan and the newest checkpoint of the finished job. It fails
// with job.ErrInvalid or job.ErrConflict if the job cannot go on.
func Record(ctx context.Context, blobs blob.Store, old job.Record, as Job) (job.Record, error) {
	if old.State != job.Succeeded || old.Outcome == nil {
		return job.Record{}, fmt.Errorf("job %s is %s: want one that has succeeded (resume makes others go on): %w", old.ID, old.State, job.ErrConflict)
	}
	taken := old.Outcome.Steps
	if len(old.Checkpoints) == 0 || old.Checkpoints[0].Step != taken {
		return job.Record{}, fmt.Errorf("the training state of job %s after its last step is not kept (see checkpoint.final): "+
			"train its spec with more epochs from the start, which has the same result: %w", old.ID, job.ErrConflict)
	}
	was, err := planOf(ctx, blobs, old)
	if err != nil {
		return job.Record{}, err
	}
	next, err := was.More(old.ID, taken, as.Epochs)
	if err != nil {
		return job.Record{}, err
	}
	asked := next.Spec
	asked.Tags, asked.ID = old.Tags, as.ID
	next.Spec.ID = as.ID
	canonical, digest, err := spec.Canonical(&asked)
	if err != nil {
		return job.Record{}, err
	}
	r := job.Record{
		ID: as.ID, Run: as.Run, Name: asked.Name, Tags: asked.Tags, State: job.Submitted, Created: as.Now,
		Spec: canonical, SpecDigest: digest, Numerics: old.Numerics, Capabilities: plan.NeedsOf(&asked),
		Priority: cmp.Or(asked.Priority, job.DefaultPriority), MaxSlots: asked.MaxSlots,
	}
	if r.ID == "" {
		r.ID = as.NewID(asked.Name)
	}
	c, err := move(ctx, blobs, old, r, next)
	if err != nil {
		return job.Record{}, err
	}
	r.Checkpoints = []job.Checkpoint{c}
	return r, nil
}

// move writes the newest checkpoint of a job as one of another job with another plan.
func move(ctx context.Context, blobs blob.Store, from, to job.Record, next *plan.Plan) (job.Checkpoint, error) {
	m, err := checkpoint.Open(ctx, blobs, from.Checkpoints[0].Digest)
	if err != nil {
		return job.Checkpoint{}, err
	}
	if m.Ref != from.Ref() || m.Plan != from.Plan || m.Step != from.Checkpoints[0].Step {
		return job.Checkpoint{}, fmt.Errorf("the checkpoint of job %s after step %d is of job %s, step %d: %w", from.Ref(), from.Checkpoints[0].Step, m.Ref, m.Step, job.ErrCorrupt)
	}
	state, err := m.Read(ctx, blobs)
	if err != nil {
		return job.Checkpoint{}, err
	}
	if _, state.Plan, err = next.Encode(); err != nil {
		return job.Checkpoint{}, err
	}
	state.Ref = to.Ref()
	d, err := checkpoint.NewDraft(state)
	if err != nil {
		return job.Checkpoint{}, err
	}
	if err := d.Write(ctx, blobs, func() {}); err != nil {
		return job.Checkpoint{}, err
	}
	return job.Checkpoint{Step: d.Manifest.Step, Digest: d.Digest, Bytes: d.Manifest.Bytes, Time: to.Created.Truncate(time.Millisecond)}, nil
}

// Same reports whether a record is of the job that goes on from the other one with so many
// epochs more. For a job of steps it reads the plan of the other one.
func Same(ctx context.Context, blobs blob.Store, known, old job.Record, epochs int) (bool, error) {
	is, err := spec.Decode(known.Spec)
	if err != nil {
		return false, fmt.Errorf("the spec of job %s: %w", known.ID, err)
	}
	was, err := spec.Decode(old.Spec)
	if err != nil {
		return false, fmt.Errorf("the spec of job %s: %w", old.ID, err)
	}
	if c := is.Continue; c == nil || c.Job != old.ID {
		return false, nil
	}
	if was.Steps == 0 {
		return is.Epochs == was.Epochs+epochs, nil
	}
	p, err := planOf(ctx, blobs, old)
	if err != nil {
		return false, err
	}
	return is.Steps == was.Steps+int64(epochs)*p.StepsPerEpoch(), nil
}

// planOf reads the plan of a job.
func planOf(ctx context.Context, blobs blob.Store, r job.Record) (*plan.Plan, error) {
	data, err := blob.Fetch(ctx, blobs, r.Plan)
	if err != nil {
		return nil, fmt.Errorf("the plan of job %s: %w", r.ID, err)
	}
	p, err := plan.Decode(data)
	if err != nil {
		return nil, fmt.Errorf("the plan of job %s: %w", r.ID, err)
	}
	return p, nil
}
