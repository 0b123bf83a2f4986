package run

import (
	"context"
	"errors"
	"fmt"
	"math"
	"time"

	"tributary/coordinator/round"
	"tributary/shared/checkpoint"
	"tributary/shared/job"
	"tributary/shared/ledger"
	"tributary/shared/notice"
)

// recordPatience bounds the examination of an announced checkpoint, for which the job
// waits. discardPatience bounds the deletion of old checkpoints, for which nothing waits.
const (
	recordPatience  = 5 * time.Second
	discardPatience = 10 * time.Second
)

// newest returns the step of the newest checkpoint on record, 0 without one.
func (t *training) newest() int64 { return newestStep(t.record) }

// checkpointed records the newest announced checkpoint and deletes the checkpoints that
// the job no longer keeps. If the checkpoint cannot be read now, a worker announces it
// again.
func (t *training) checkpointed(ctx context.Context) error {
	c, err := t.examine(ctx)
	if err != nil {
		t.checkpointLog.Warn().Err(err).Msg("check for a new checkpoint")
		return nil
	}
	if c.Step <= t.newest() {
		return t.feed(ctx, round.Checkpointed{Steps: t.newest()})
	}
	keep := t.engine.Plan.Spec.Checkpoints().Keep
	_, dropped := job.WithCheckpoint(t.record.Checkpoints, c, keep)
	t.retire(ctx, dropped)
	r, err := t.change(ctx, func(r *job.Record) { r.Checkpoints, _ = job.WithCheckpoint(r.Checkpoints, c, keep) })
	if err != nil {
		return err
	}
	t.record = r
	t.service.background("keep a checkpoint", t.ref, func() error { t.saved(r); return nil })
	// The end of the job may come at once and must not interrupt the deletion.
	deleting := context.WithoutCancel(ctx)
	t.service.background("delete checkpoints", t.ref, func() error { t.discard(deleting, r.Checkpoints, dropped); return nil })
	return t.feed(ctx, round.Checkpointed{Steps: c.Step})
}

// examine looks for the newest checkpoint that the ledger lists as begun. The checkpoint
// must be complete, belong to this job and cover only committed steps. If none is newer
// than the recorded ones, examine returns none.
func (t *training) examine(ctx context.Context) (c job.Checkpoint, err error) {
	ctx, cancel := context.WithTimeout(ctx, recordPatience)
	defer cancel()
	d, err := checkpoint.Written(ctx, t.service.cfg.Ledger, t.layout, t.service.cfg.Blobs, t.newest()+1)
	if err != nil || d == nil {
		return c, err
	}
	state, err := t.service.cfg.Ledger.State(ctx, t.layout)
	if err != nil {
		return c, err
	}
	m := &d.Manifest
	if m.Step > state.Committed {
		return c, fmt.Errorf("checkpoint %s is of step %d, but the ledger has only %d steps: %w", d.Digest, m.Step, state.Committed, job.ErrStale)
	}
	return job.Checkpoint{Step: m.Step, Digest: d.Digest, Bytes: m.Bytes, Time: t.service.cfg.Now().UTC().Truncate(time.Millisecond)}, m.Of(t.layout)
}

// open reads the manifest of a checkpoint of this job.
func (t *training) open(ctx context.Context, digest job.Digest) (*checkpoint.Manifest, error) {
	m, err := checkpoint.Open(ctx, t.service.cfg.Blobs, digest)
	if err != nil {
		return nil, err
	}
	return m, m.Of(t.layout)
}

// retire records which checkpoints to delete. If this coordinator dies first, another one
// deletes them, or this one does when it releases the job.
func (t *training) retire(ctx context.Context, list []job.Checkpoint) {
	ctx, cancel := context.WithTimeout(ctx, recordPatience)
	defer cancel()
	for _, c := range list {
		if err := checkpoint.Retire(ctx, t.service.cfg.Ledger, t.layout, t.service.cfg.Blobs, c.Digest); err != nil {
			t.log.Debug().Err(err).Int64("step", c.Step).Msg("record that a checkpoint is to be deleted")
		}
	}
}

// discard deletes the checkpoints that the job no longer keeps and the parts of
// unrecorded ones. It is not fenced: an owner that was paused earlier deletes what the
// record does not name. If the same checkpoint was written again since then, it becomes
// incomplete, and restore skips it.
func (t *training) discard(ctx context.Context, kept, dropped []job.Checkpoint) {
	ctx, cancel := context.WithTimeout(ctx, discardPatience)
	defer cancel()
	cfg := t.service.cfg
	for _, c := range dropped {
		if err := checkpoint.Delete(ctx, cfg.Blobs, c.Digest); err != nil {
			t.log.Debug().Err(err).Int64("step", c.Step).Msg("delete an old checkpoint")
		}
	}
	if err := checkpoint.Discard(ctx, cfg.Ledger, t.layout, cfg.Blobs, kept[0].Step, kept); err != nil {
		t.log.Debug().Err(err).Msg("delete unrecorded checkpoints")
	}
}

// restore fills a ledger that has fewer committed steps than the newest checkpoint. It
// uses the newest checkpoint that can be read. It reports whether it did so; without such
// a checkpoint the job goes on from the ledger's steps.
func (t *training) restore(ctx context.Context, committed int64) (restored bool, err error) {
	if t.newest() <= committed {
		return false, nil
	}
	release, err := t.reserveMemory(ctx)
	if err != nil {
		return false, err
	}
	defer release()
	for pauses := newPauses(); t.newest() > committed; {
		if err := t.checkOwned(ctx); err != nil {
			return false, err
		}
		c := t.record.Checkpoints[0]
		s, err := t.load(ctx, c)
		switch {
		case err == nil:
			err := checkpoint.Restore(ctx, t.service.cfg.Ledger, t.layout, s)
			if errors.Is(err, job.ErrStale) {
				wait := pauses.NextBackOff()
				t.log.Warn().Err(err).Int64("step", c.Step).Dur("again_in", wait).Msg("the ledger was lost while a checkpoint was restored")
				if err := pause(ctx, wait); err != nil {
					return false, err
				}
				continue
			}
			if err != nil {
				return false, err
			}
			t.restored(committed, c.Step)
			return true, nil
		case !errors.Is(err, job.ErrCorrupt) && !errors.Is(err, job.ErrNotFound):
			return false, err
		}
		t.log.Warn().Err(err).Int64("step", c.Step).Msg("a checkpoint cannot be restored")
		t.publish(notice.Event{Type: notice.ErrorEvent, Step: committed, Message: fmt.Sprintf(
			"the checkpoint after step %d cannot be restored and is skipped: %s", c.Step, job.Sentence(err))})
		r, err := t.change(ctx, func(r *job.Record) { r.Checkpoints = job.WithoutCheckpoint(r.Checkpoints, c.Digest) })
		if err != nil {
			return false, err
		}
		t.record = r
	}
	return false, nil
}

// restored reports from where the job goes on. A job that was stopped, or that goes on from
// another one, begins without a ledger.
func (t *training) restored(committed, step int64) {
	message := fmt.Sprintf("the ledger has lost steps: it had %d and was restored from the checkpoint after step %d", committed, step)
	if c := t.engine.Plan.Spec.Continue; committed == 0 && c != nil && c.Steps == step {
		message = fmt.Sprintf("going on from the training state of job %s after step %d", c.Job, step)
		t.log.Info().Int64("step", step).Str("from", string(c.Job)).Msg("going on from another job")
	} else if committed == 0 && t.record.Resumed > 0 {
		message = fmt.Sprintf("going on from the checkpoint after step %d", step)
	}
	if committed > 0 || t.engine.Plan.Spec.Continue == nil {
		t.log.Warn().Int64("has", committed).Int64("step", step).Msg("the ledger has lost steps; restored a checkpoint")
	}
	t.publish(notice.Event{Type: notice.NoteEvent, Step: step, Message: message})
}

func (t *training) load(ctx context.Context, c job.Checkpoint) (*checkpoint.State, error) {
	m, err := t.open(ctx, c.Digest)
	if err != nil {
		return nil, err
	}
	return m.Read(ctx, t.service.cfg.Blobs)
}

// unsaved reports a checkpoint that could not be written. The job does not fail.
func (t *training) unsaved(ctx context.Context, task job.Task, cause string) error {
	t.publish(notice.Event{Type: notice.ErrorEvent, Step: task.Step, Message: fmt.Sprintf(
		"the checkpoint after step %d could not be written: %s", task.Step, cause)})
	return t.feed(ctx, round.Unsaved{Steps: task.Step})
}

// deleteCheckpoints deletes the checkpoints of a job that is removed.
func (s *Service) deleteCheckpoints(ctx context.Context, r job.Record) error {
	for _, c := range r.Checkpoints {
		if err := checkpoint.Delete(ctx, s.cfg.Blobs, c.Digest); err != nil {
			return err
		}
	}
	return nil
}

// deleteTraining deletes a ledger. It first deletes the parts of checkpoints that are not
// in kept, because no record will name them.
func (s *Service) deleteTraining(ctx context.Context, l ledger.Layout, kept []job.Checkpoint) error {
	known := l
	known.ChunkLen, known.Microbatch = max(1, l.ChunkLen), max(1, l.Microbatch)
	if err := checkpoint.Discard(ctx, s.cfg.Ledger, known, s.cfg.Blobs, math.MaxInt64, kept); err != nil {
		s.cfg.Log.Debug().Err(err).Stringer("job", l.Ref).Msg("delete unrecorded checkpoints")
	}
	return s.cfg.Ledger.Delete(ctx, l)
}
