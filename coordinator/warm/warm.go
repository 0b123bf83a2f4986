// Package warm opens the parameters of other jobs, from which a new job may start.
// job:<id> is the job's model, even if the job was removed and its model kept. If the job
// has no model, it is its newest checkpoint. checkpoint:<id>@<step> is a recorded
// checkpoint.
//
// It owns these two schemes of sources. The opened source is a safetensors file, like a
// file given by path. It leaves the use of the parameters to package ingest, which calls
// it if a spec's model.init.from has such a source. The plan keeps a copy, so the new job
// does not depend on the other job afterwards.
//
// Invariant: the parameters are those of the record's model or checkpoint, checked by
// their digests; otherwise Open fails.
package warm

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"

	"tributary/shared/blob"
	"tributary/shared/checkpoint"
	"tributary/shared/gradient"
	"tributary/shared/job"
	"tributary/shared/plan"
	"tributary/shared/registry"
)

// Records reads the records of jobs.
type Records interface {
	// Get fails with job.ErrNotFound if there is no record.
	Get(ctx context.Context, id job.ID) (job.Record, uint64, error)
}

// Models reads the registry's files.
type Models interface {
	// OpenFile fails with job.ErrNotFound if there is no such file.
	OpenFile(ctx context.Context, model, file string) (io.ReadCloser, error)
}

// Jobs opens the parameters of jobs.
type Jobs struct {
	Records Records
	Models  Models
	Blobs   blob.Store
}

// source is a parsed source. Step 0 means the model or the newest checkpoint.
type source struct {
	id   job.ID
	step int64
}

func parse(text string) (source, error) {
	var s source
	if rest, ok := strings.CutPrefix(text, "checkpoint:"); ok {
		id, step, _ := strings.Cut(rest, "@")
		n, err := strconv.ParseInt(step, 10, 64)
		if err != nil || n < 1 {
			return s, fmt.Errorf("%.200q: want checkpoint:<job>@<step>: %w", text, job.ErrInvalid)
		}
		s = source{job.ID(id), n}
	} else {
		s.id = job.ID(strings.TrimPrefix(text, "job:"))
	}
	if err := s.id.Validate(); err != nil {
		return s, fmt.Errorf("%.200q: %w: %w", text, err, job.ErrInvalid)
	}
	return s, nil
}

// Open opens a source of either scheme. It fails with job.ErrInvalid if the job, model or
// checkpoint does not exist.
func (j *Jobs) Open(ctx context.Context, text string) (io.ReadCloser, error) {
	s, err := parse(text)
	if err != nil {
		return nil, err
	}
	r, err := j.open(ctx, s)
	if errors.Is(err, job.ErrNotFound) {
		err = fmt.Errorf("%w: %w", err, job.ErrInvalid)
	}
	if err != nil {
		return nil, fmt.Errorf("open %s: %w", text, err)
	}
	return r, nil
}

func (j *Jobs) open(ctx context.Context, s source) (io.ReadCloser, error) {
	r, _, err := j.Records.Get(ctx, s.id)
	if errors.Is(err, job.ErrNotFound) {
		return j.removed(ctx, s)
	}
	if err != nil {
		return nil, err
	}
	if s.step == 0 && r.State == job.Succeeded {
		return j.Models.OpenFile(ctx, string(s.id), registry.WeightsFile)
	}
	for _, c := range r.Checkpoints { // the newest first
		if s.step == 0 || c.Step == s.step {
			data, err := j.checkpoint(ctx, r, c)
			return io.NopCloser(bytes.NewReader(data)), err
		}
	}
	steps := make([]string, len(r.Checkpoints))
	for i, c := range r.Checkpoints {
		steps[i] = strconv.FormatInt(c.Step, 10)
	}
	if s.step == 0 || len(steps) == 0 {
		return nil, fmt.Errorf("job %s is %s and has neither model nor checkpoint: %w", s.id, r.State, job.ErrNotFound)
	}
	return nil, fmt.Errorf("job %s has no checkpoint after step %d; it has checkpoints after steps %s: %w", s.id, s.step, strings.Join(steps, ", "), job.ErrNotFound)
}

// removed opens the model of a removed job.
func (j *Jobs) removed(ctx context.Context, s source) (io.ReadCloser, error) {
	if s.step > 0 {
		return nil, fmt.Errorf("there is no job %q; removing a job also removes its checkpoints: %w", s.id, job.ErrNotFound)
	}
	r, err := j.Models.OpenFile(ctx, string(s.id), registry.WeightsFile)
	if errors.Is(err, job.ErrNotFound) {
		return nil, fmt.Errorf("there is no job %q and no model of it: %w", s.id, job.ErrNotFound)
	}
	return r, err
}

// checkpoint encodes a checkpoint's parameters as a safetensors file.
func (j *Jobs) checkpoint(ctx context.Context, r job.Record, c job.Checkpoint) ([]byte, error) {
	data, err := blob.Fetch(ctx, j.Blobs, r.Plan)
	if err != nil {
		return nil, fmt.Errorf("its plan: %w", err)
	}
	p, err := plan.Decode(data)
	if err != nil {
		return nil, fmt.Errorf("its plan: %w", err)
	}
	e, err := gradient.Compile(ctx, p, j.Blobs, nil)
	if err != nil {
		return nil, fmt.Errorf("its model: %w", err)
	}
	network := e.Network
	m, err := checkpoint.Open(ctx, j.Blobs, c.Digest)
	if err != nil {
		return nil, err
	}
	if m.Ref != r.Ref() || m.Plan != r.Plan || m.Params != network.Params() {
		return nil, fmt.Errorf("checkpoint %d is not of job %s: %w", c.Step, r.Ref(), job.ErrCorrupt)
	}
	params, err := m.Vector(ctx, j.Blobs, 0)
	if err != nil {
		return nil, err
	}
	return registry.EncodeWeights(network.Tensors(), e.Weights(params))
}
