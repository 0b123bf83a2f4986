package train

import (
	"context"
	"errors"
	"fmt"
	"time"

	"tributary/coordinator/api"
	"tributary/shared/job"
	"tributary/shared/settings"
)

// submit records the job, or resumes the job that was stopped.
func (c *Command) submit(ctx context.Context, a *api.API, stores *settings.Opened, kept *state, asked *job.Spec, text []byte) (job.ID, error) {
	if c.Resume && c.NATS == "" {
		kept.dir = c.dir(asked.ID)
		r, err := kept.restore(ctx, asked, stores.Blobs)
		if err != nil {
			return "", fmt.Errorf("--resume: %w", err)
		}
		if _, err := stores.Conn.Records().Create(ctx, r); err != nil {
			return "", fmt.Errorf("record job %s: %w", r.ID, err)
		}
		return r.ID, nil
	}
	status, err := a.Submit(ctx, text)
	if err != nil {
		return "", err
	}
	if c.Resume && status.State != job.Succeeded {
		_, err = a.Resume(ctx, []byte(status.ID))
	}
	return status.ID, err
}

// releaseEvery is how often stop checks whether a cancelled job is released.
const releaseEvery = 50 * time.Millisecond

// stop cancels the job, waits for its last checkpoint, and prints how to resume it.
func (c *Command) stop(soft, hard context.Context, a *api.API, id job.ID) error {
	_, err := a.Cancel(hard, []byte(id))
	var r job.Record
	for err == nil && !r.Released {
		if r, err = a.Get(hard, []byte(id)); err == nil && !r.Released {
			select {
			case <-hard.Done():
				err = context.Cause(hard)
			case <-time.After(releaseEvery):
			}
		}
	}
	cancelled := fmt.Errorf("job %s was cancelled: %w", id, context.Cause(soft))
	if len(r.Checkpoints) > 0 {
		how := "--out " + c.dir(id)
		if c.NATS != "" {
			how = fmt.Sprintf("id %s in the spec, and the same servers", id)
		}
		cancelled = fmt.Errorf("job %s was cancelled after step %d of %d; with --resume, %s, it goes on from there: %w",
			id, r.Checkpoints[0].Step, r.Steps, how, context.Cause(soft))
	}
	return errors.Join(cancelled, err)
}
