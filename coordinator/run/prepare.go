package run

import (
	"context"
	"encoding/json"
	"fmt"

	"tributary/coordinator/ingest"
	"tributary/shared/blob"
	"tributary/shared/gradient"
	"tributary/shared/job"
	"tributary/shared/ledger"
	"tributary/shared/model"
	"tributary/shared/notice"
	"tributary/shared/plan"
)

// prepared is a job that is ready to be trained.
type prepared struct {
	record job.Record
	engine *gradient.Engine
	layout ledger.Layout
}

// Limits of what preparing makes.
const (
	chunkLen       = 64 << 10 // parameters in a ledger chunk, unless configured: 256 KiB
	maxWeightExtra = 32 << 20 // of a file of initial weights, beside the weights
	maxSteps       = 10 << 20 // of a job; its losses are kept in memory
)

// prepare ingests the dataset and makes the plan, unless that was done before.
func (d *driver) prepare(ctx context.Context) (*prepared, error) {
	r, err := d.change(ctx, func(r *job.Record) {
		if r.State == job.Submitted {
			now := d.service.cfg.Now().UTC()
			r.State, r.Started = job.Preparing, &now
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
	return &prepared{record: r, engine: engine, layout: engine.Layout(d.ref)}, nil
}

// compile makes a recorded plan ready.
func (d *driver) compile(ctx context.Context, digest job.Digest) (*gradient.Engine, error) {
	blobs := d.service.cfg.Blobs
	return persist(ctx, d.log, "read plan", func() (*gradient.Engine, error) {
		data, err := blob.Fetch(ctx, blobs, digest)
		if err != nil {
			return nil, err
		}
		p, err := plan.Decode(data)
		if err != nil {
			return nil, err
		}
		return gradient.Compile(ctx, p, blobs, nil) // no blocks: nothing is computed here
	})
}

// address says where the ledger of a job with that plan is.
func (d *driver) address(ctx context.Context, digest job.Digest) (ledger.Layout, error) {
	e, err := d.compile(ctx, digest)
	if err != nil {
		return ledger.Layout{}, err
	}
	return e.Layout(d.ref), nil
}

// plan ingests the dataset, stores the plan, and records that the job runs.
func (d *driver) plan(ctx context.Context, r job.Record) (job.Record, error) {
	var spec job.Spec
	if err := json.Unmarshal(r.Spec, &spec); err != nil {
		return r, fmt.Errorf("recorded spec: %w: %w", err, job.ErrCorrupt)
	}
	p, err := persist(ctx, d.log, "prepare the data", func() (*plan.Plan, error) {
		return makePlan(ctx, d.service.cfg, &spec, func(message string) {
			d.publish(notice.Event{Type: notice.NoteEvent, Message: message})
		})
	})
	if err != nil {
		return r, err
	}
	need, err := d.service.account(p)
	if err != nil {
		return r, err
	}
	encoded, digest, err := p.Encode()
	if err != nil {
		return r, err
	}
	if _, err := persist(ctx, d.log, "store plan", func() (job.Digest, error) { return d.service.cfg.Blobs.Put(ctx, encoded) }); err != nil {
		return r, err
	}
	return d.change(ctx, func(r *job.Record) { r.Plan, r.Steps, r.Need, r.State = digest, p.Steps(), need, job.Running })
}

// makePlan ingests a spec's data and checks that model and data fit.
func makePlan(ctx context.Context, cfg Config, spec *job.Spec, progress func(string)) (*plan.Plan, error) {
	manifest, err := ingest.Run(ctx, spec, cfg.Sources, cfg.Blobs, progress)
	if err != nil {
		return nil, err
	}
	p := &plan.Plan{Version: plan.Version, Spec: *spec, Dataset: *manifest, ChunkLen: cfg.ChunkLen}
	if from := spec.Model.Init.From; from != "" {
		network, err := model.New(spec.Model, spec.Loss, manifest.Features)
		if err != nil {
			return nil, err
		}
		weights, err := ingest.ReadAll(ctx, cfg.Sources, from, 4*int64(network.Params())+maxWeightExtra)
		if err != nil {
			return nil, fmt.Errorf("model.init.from: %w", err)
		}
		if p.Init, err = cfg.Blobs.Put(ctx, weights); err != nil {
			return nil, fmt.Errorf("store initial weights: %w", err)
		}
	}
	if err := p.Check(); err != nil {
		return nil, err
	}
	if steps := p.Steps(); steps < 1 || steps > maxSteps {
		return nil, fmt.Errorf("epochs or steps: the job would take %d steps, want 1 to %d: %w", steps, maxSteps, job.ErrInvalid)
	}
	return p, nil
}
