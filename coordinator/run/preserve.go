package run

import (
	"context"
	"errors"
	"fmt"
	"time"

	"tributary/shared/checkpoint"
	"tributary/shared/gradient"
	"tributary/shared/job"
	"tributary/shared/ledger"
	"tributary/shared/notice"
	"tributary/shared/numeric"
	"tributary/shared/replica"
)

// preservePatience bounds the checkpoint of a job that stops before its end, and
// partingPatience that of one that this coordinator lets go of because it stops itself.
const (
	preservePatience = 30 * time.Second
	partingPatience  = 5 * time.Second
)

// The pause before a checkpoint is tried again that was overtaken by steps, and how often
// it is tried.
const (
	writeAgain = 20 * time.Millisecond
	writeTries = 25
)

// errNothing: there is no step that no checkpoint has, or the record is no longer this
// driver's. Trying again changes neither.
var errNothing = fmt.Errorf("nothing to preserve: %w", job.ErrStale)

// preserve writes a checkpoint of all committed steps of a job that is paused, cancelled
// or has failed, or that this coordinator lets go of because it stops, and records it:
// the job goes on from there even though its ledger is deleted or lost meanwhile. ctx may
// have ended. Without it the job goes on from the checkpoint before, so a failure is an
// event and no error.
func (d *driver) preserve(ctx context.Context, patience time.Duration) {
	if d.service.cfg.Volatile && d.service.cfg.Saved == nil {
		return
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), patience)
	defer cancel()
	var c job.Checkpoint
	err := d.service.contain("write a last checkpoint", d.ref, func() (err error) {
		c, err = d.lastCheckpoint(ctx)
		return err
	})
	switch {
	case errors.Is(err, errNothing):
	case err != nil:
		d.log.Warn().Err(err).Msg("write a last checkpoint")
		d.publish(notice.Event{Type: notice.ErrorEvent, Message: "no checkpoint could be written of where the job stands: " + sentence(err)})
	default:
		d.log.Info().Int64("step", c.Step).Msg("checkpoint of where the job stands")
		d.publish(notice.Event{Type: notice.NoteEvent, Step: c.Step, Message: fmt.Sprintf("checkpoint after step %d: resumed, the job goes on from there", c.Step)})
	}
}

// lastCheckpoint does so. It fails with errNothing when there is nothing to write.
func (d *driver) lastCheckpoint(ctx context.Context) (c job.Checkpoint, err error) {
	r, _, err := d.preservable(ctx)
	if err != nil {
		return c, err
	}
	engine, err := d.compile(ctx, r.Plan)
	if err != nil {
		return c, err
	}
	lay := engine.Layout(d.ref)
	state, err := d.service.cfg.Ledger.State(ctx, lay)
	if err != nil {
		return c, err
	}
	if state.Committed <= newestStep(r) {
		return c, errNothing
	}
	t := &training{driver: d, prepared: &prepared{record: r, engine: engine, layout: lay}}
	release, err := t.hold(ctx)
	if err != nil {
		return c, err
	}
	defer release()
	draft, err := d.write(ctx, engine, lay, r.Numerics, state.Committed)
	// Workers that have not heard of the stop yet may trim the log while it is read: then
	// the replica was overtaken, or what it reads seems lost.
	for tries := 1; tries < writeTries && (errors.Is(err, job.ErrStale) || errors.Is(err, job.ErrCorrupt)) && !errors.Is(err, errNothing); tries++ {
		if err := pause(ctx, writeAgain); err != nil {
			return c, err
		}
		draft, err = d.write(ctx, engine, lay, r.Numerics, state.Committed)
	}
	if err != nil {
		return c, err
	}
	c = job.Checkpoint{
		Step: draft.Manifest.Step, Digest: draft.Digest, Bytes: draft.Manifest.Bytes,
		Time: d.service.cfg.Now().UTC().Truncate(time.Millisecond),
	}
	return c, d.recordLast(ctx, c, engine.Plan.Spec.Checkpoints().Keep)
}

// write folds the log and writes a checkpoint of the job after so many steps or more.
// Parameters that are not finite are not worth one.
func (d *driver) write(ctx context.Context, e *gradient.Engine, lay ledger.Layout, numerics job.Numerics, committed int64) (*checkpoint.Draft, error) {
	cfg := d.service.cfg
	r := replica.New(e, d.ref)
	finite := false
	see := func(params []float32, _ ledger.Chain) error {
		finite = numeric.AllFinite(params)
		return nil
	}
	if err := r.View(ctx, cfg.Ledger, committed, see); err != nil && !errors.Is(err, job.ErrStale) {
		return nil, err
	} else if err == nil && !finite {
		return nil, errNothing
	}
	snap, err := r.Whole(ctx, cfg.Ledger)
	if err != nil {
		return nil, err
	}
	return checkpoint.Save(ctx, cfg.Ledger, lay, cfg.Blobs, r, snap, numerics, func() {})
}

// preservable returns the job's record if it is this driver's to add a checkpoint to.
func (d *driver) preservable(ctx context.Context) (r job.Record, revision uint64, err error) {
	r, revision, err = d.service.cfg.Records.Get(ctx, d.ref.Job)
	switch {
	case errors.Is(err, job.ErrNotFound), errors.Is(err, job.ErrCorrupt):
		return r, 0, errNothing
	case err != nil:
		return r, 0, err
	case r.Ref() != d.ref, r.Term != d.term, r.State == job.Succeeded, r.Released, r.Removing, r.Plan == "":
		return r, 0, errNothing
	}
	return r, revision, nil
}

// recordLast makes a checkpoint that is written one of the job's.
func (d *driver) recordLast(ctx context.Context, c job.Checkpoint, keep int) error {
	var dropped []job.Checkpoint
	r, err := persist(ctx, d, "record a checkpoint", func() (job.Record, error) {
		r, revision, err := d.preservable(ctx)
		if err != nil {
			return r, err
		}
		r.Checkpoints, dropped = job.WithCheckpoint(r.Checkpoints, c, keep)
		_, err = d.service.cfg.Records.Update(ctx, r, revision)
		return r, err
	})
	if err != nil {
		return err
	}
	for _, old := range dropped {
		if err := checkpoint.Delete(ctx, d.service.cfg.Blobs, old.Digest); err != nil {
			d.log.Debug().Err(err).Int64("step", old.Step).Msg("delete an old checkpoint")
		}
	}
	d.saved(r)
	return nil
}

// saved hands a record with a new checkpoint on.
func (d *driver) saved(r job.Record) {
	if d.service.cfg.Saved == nil {
		return
	}
	if err := d.service.contain("keep a checkpoint", d.ref, func() error { return d.service.cfg.Saved(r) }); err != nil {
		d.log.Warn().Err(err).Msg("keep a checkpoint")
		d.publish(notice.Event{Type: notice.ErrorEvent, Message: "the checkpoint could not be kept: " + sentence(err)})
	}
}

// newestStep is the step of the newest checkpoint on record, 0 without one.
func newestStep(r job.Record) int64 {
	if len(r.Checkpoints) == 0 {
		return 0
	}
	return r.Checkpoints[0].Step
}
