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

// preservePatience bounds the checkpoint of a job that stops before its end.
// shutdownPatience bounds the checkpoint of a job that this coordinator releases because
// it stops.
const (
	preservePatience = 30 * time.Second
	shutdownPatience = 5 * time.Second
)

// The pause before another try at a checkpoint that newer steps have overtaken, and the
// maximum number of tries.
const (
	writeAgain = 20 * time.Millisecond
	writeTries = 25
)

// errNothing means that every committed step is in a checkpoint, or that this driver no
// longer owns the record. Another try changes neither.
var errNothing = fmt.Errorf("nothing to preserve: %w", job.ErrStale)

// preserve writes and records a checkpoint of all committed steps. It does so for a job
// that is paused, cancelled or has failed, or that this coordinator releases because it
// stops. The job can go on from there even if its ledger is deleted or lost meanwhile.
// ctx may have ended. If preserve fails, the job goes on from the checkpoint before, so
// the failure is an event and not an error.
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
		d.publish(notice.Event{Type: notice.ErrorEvent, Message: "the last checkpoint of the job could not be written: " + sentence(err)})
	default:
		d.log.Info().Int64("step", c.Step).Msg("wrote the last checkpoint of the job")
		d.publish(notice.Event{Type: notice.NoteEvent, Step: c.Step, Message: fmt.Sprintf("wrote a checkpoint after step %d: resume makes the job go on from there", c.Step)})
	}
}

// lastCheckpoint writes and records the checkpoint. It fails with errNothing if there is
// nothing to write.
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
	release, err := t.reserveMemory(ctx)
	if err != nil {
		return c, err
	}
	defer release()
	draft, err := d.write(ctx, engine, lay, r.Numerics, state.Committed)
	// Workers that have not received the stop yet may trim the log during the read. Then
	// the replica is behind the log, or the log seems damaged.
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

// write folds the log and writes a checkpoint of at least that many committed steps. It
// writes none if the parameters are not finite.
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

// preservable returns the job's record if this driver may add a checkpoint to it.
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

// recordLast adds a written checkpoint to the job's record.
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

// saved passes a record with a new checkpoint to Config.Saved.
func (d *driver) saved(r job.Record) {
	if d.service.cfg.Saved == nil {
		return
	}
	if err := d.service.contain("keep a checkpoint", d.ref, func() error { return d.service.cfg.Saved(r) }); err != nil {
		d.log.Warn().Err(err).Msg("keep a checkpoint")
		d.publish(notice.Event{Type: notice.ErrorEvent, Message: "the checkpoint could not be kept: " + sentence(err)})
	}
}

// newestStep returns the step of the newest checkpoint on record, 0 without one.
func newestStep(r job.Record) int64 {
	if len(r.Checkpoints) == 0 {
		return 0
	}
	return r.Checkpoints[0].Step
}
