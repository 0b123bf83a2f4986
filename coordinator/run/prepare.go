package run

import (
	"context"
	"fmt"

	"tributary/coordinator/ingest"
	"tributary/shared/blob"
	"tributary/shared/checkpoint"
	"tributary/shared/gradient"
	"tributary/shared/job"
	"tributary/shared/ledger"
	"tributary/shared/model"
	"tributary/shared/notice"
	"tributary/shared/plan"
	"tributary/shared/spec"
)

// prepared is a job that is ready for training.
type prepared struct {
	record job.Record
	engine *gradient.Engine
	layout ledger.Layout
}

// chunkLen is the default number of parameters in a ledger chunk: 256 KiB.
const chunkLen = 64 << 10

// prepare ingests the dataset and makes the plan, unless the record already has a plan.
func (d *driver) prepare(ctx context.Context) (*prepared, error) {
	// A job that waits here, before its state is preparing, does not block deletions.
	if r, _, err := d.service.cfg.Records.Get(ctx, d.ref.Job); err == nil && r.Plan == "" {
		if err := d.uncollected(ctx); err != nil {
			return nil, err
		}
	}
	r, err := d.change(ctx, func(r *job.Record) {
		r.Message = "" // the wait message of an earlier owner
		if r.State == job.Submitted {
			r.State = job.Preparing
			if r.Started == nil {
				now := d.service.cfg.Now().UTC()
				r.Started = &now
			}
		}
	})
	if err != nil {
		return nil, err
	}
	if r.Plan == "" {
		d.publish(notice.Event{Type: notice.StateEvent, State: r.State})
		if r, err = d.plan(ctx, r); err != nil {
			return nil, err
		}
	}
	d.publish(notice.Event{Type: notice.StateEvent, State: r.State, Steps: r.Steps})
	engine, err := d.compile(ctx, r.Plan)
	if err != nil {
		return nil, err
	}
	if r, err = d.recordNeed(ctx, r, engine); err != nil {
		return nil, err
	}
	return &prepared{record: r, engine: engine, layout: engine.Layout(d.ref)}, nil
}

// compile reads a recorded plan and compiles it.
func (d *driver) compile(ctx context.Context, digest job.Digest) (*gradient.Engine, error) {
	return persist(ctx, d, "read plan", func() (*gradient.Engine, error) {
		p, err := d.fetchPlan(ctx, digest)
		if err != nil {
			return nil, err
		}
		return gradient.Compile(ctx, p, d.service.cfg.Blobs, nil) // no blocks, because the coordinator computes no gradients
	})
}

// address returns the layout of the ledger of a job with that plan. It reads only the
// plan, neither data nor weights. If the plan is lost, damaged or of another version,
// only the job is known, and address searches for the ledger.
func (d *driver) address(ctx context.Context, digest job.Digest) (ledger.Layout, error) {
	p, err := d.fetchPlan(ctx, digest)
	if err == nil {
		var l ledger.Layout
		if l, err = p.Layout(d.ref); err == nil {
			return l, nil
		}
	}
	if !final(err) || ctx.Err() != nil {
		return ledger.Layout{}, err
	}
	d.log.Info().Err(err).Str("plan", string(digest)).Msg("the plan cannot be read; looking for the job's training state")
	return ledger.Layout{Ref: d.ref}, nil
}

// fetchPlan reads a recorded plan.
func (d *driver) fetchPlan(ctx context.Context, digest job.Digest) (*plan.Plan, error) {
	data, err := blob.Fetch(ctx, d.service.cfg.Blobs, digest)
	if err != nil {
		return nil, err
	}
	return plan.Decode(data)
}

// plan ingests the dataset and stores the plan. It records that the job runs when
// everything that the plan names is in the store.
func (d *driver) plan(ctx context.Context, r job.Record) (job.Record, error) {
	// The record is checked like input from an untrusted user.
	asked, err := spec.Decode(r.Spec)
	if err != nil {
		return r, fmt.Errorf("recorded spec: %w: %w", err, job.ErrCorrupt)
	}
	for {
		p, digest, err := d.store(ctx, asked)
		if err != nil {
			return r, err
		}
		if err := d.same(ctx, r, digest); err != nil {
			return r, err
		}
		profile, err := d.putProfile(ctx, p)
		if err != nil {
			return r, err
		}
		need, err := d.service.account(p)
		if err != nil {
			return r, err
		}
		needed := append(p.Blobs(), digest)
		if profile != "" {
			needed = append(needed, profile)
		}
		missing, err := persist(ctx, d, "check the blocks", func() (int64, error) {
			return d.missing(ctx, needed)
		})
		if err != nil {
			return r, err
		}
		if missing == 0 {
			if _, err := persist(ctx, d, "write to the model registry", func() (struct{}, error) { return struct{}{}, d.service.cfg.Models.Probe(ctx) }); err != nil {
				return r, err
			}
			return d.change(ctx, func(r *job.Record) {
				r.Profile, r.Plan, r.Steps, r.Need, r.Capabilities, r.State = profile, digest, p.Steps(), need, p.Needs, job.Running
			})
		}
		d.log.Warn().Int64("blobs", missing).Msg("blobs were deleted while the data was prepared; preparing it again")
	}
}

// same fails unless a new plan equals the plan of the checkpoint from which the job is to
// go on, because the data may have changed.
func (d *driver) same(ctx context.Context, r job.Record, made job.Digest) error {
	if len(r.Checkpoints) == 0 {
		return nil
	}
	c := r.Checkpoints[0]
	m, err := persist(ctx, d, "read the checkpoint", func() (*checkpoint.Manifest, error) {
		return checkpoint.Open(ctx, d.service.cfg.Blobs, c.Digest)
	})
	if err == nil && m.Plan != made {
		err = fmt.Errorf("the checkpoint after step %d belongs to other data (plan %.12s; the data now gives plan %.12s): the job cannot go on from it: %w", c.Step, m.Plan, made, job.ErrInvalid)
	}
	return err
}

// store ingests the dataset and stores the plan.
func (d *driver) store(ctx context.Context, asked *job.Spec) (*plan.Plan, job.Digest, error) {
	if err := d.uncollected(ctx); err != nil {
		return nil, "", err
	}
	cfg, attempts := d.service.cfg, 0
	blobs := &patientBlobs{Store: cfg.Blobs, d: d}
	cfg.Blobs = blobs
	p, err := persist(ctx, d, "prepare the data", func() (*plan.Plan, error) {
		attempts++
		return makePlan(ctx, cfg, asked, func(message string) {
			if attempts == 1 { // later attempts report the same
				d.publish(notice.Event{Type: notice.NoteEvent, Message: message})
			}
		})
	})
	if err != nil {
		return nil, "", err
	}
	encoded, digest, err := p.Encode()
	if err != nil {
		return nil, "", err
	}
	_, err = blobs.Put(ctx, encoded)
	return p, digest, err
}

// makePlan ingests a spec's data and checks that model and data fit.
func makePlan(ctx context.Context, cfg Config, asked *job.Spec, progress func(string)) (*plan.Plan, error) {
	manifest, err := ingest.Run(ctx, asked, cfg.Sources, cfg.Blobs, progress)
	if err != nil {
		return nil, err
	}
	return plan.Make(asked, manifest, cfg.ChunkLen, func(from string, tensors []model.Tensor) (digest job.Digest, err error) {
		err = ingest.Weights(ctx, cfg.Sources, from, tensors, func(data []byte) error {
			if digest, err = cfg.Blobs.Put(ctx, data); err != nil {
				return fmt.Errorf("store initial weights: %w", err)
			}
			return nil
		})
		return digest, err
	})
}

// Rehearse reports why a job with rows in its spec could not be prepared. It reports
// every fault that preparation finds, except in initial weights, as job.ErrInvalid. It
// reads no source and stores nothing. For other jobs it reports nothing.
func Rehearse(ctx context.Context, asked *job.Spec) error {
	if asked.Data.Inline == nil {
		return nil
	}
	s := *asked
	s.Model.Init.From = ""
	_, err := makePlan(ctx, Config{Blobs: blob.NewMemory(0), ChunkLen: chunkLen}, &s, nil)
	return err
}
