package train

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/dustin/go-humanize"

	"tributary/coordinator/api"
	"tributary/shared/blob"
	"tributary/shared/checkpoint"
	"tributary/shared/job"
	"tributary/shared/settings"
	"tributary/shared/spec"
)

// read returns the text of the spec to train. For a job that is given more epochs, that is
// the spec of the finished job, without its id; extend makes the new job.
func (c *Command) read() ([]byte, error) {
	if c.More == 0 {
		return spec.Read(c.Spec)
	}
	if c.NATS != "" {
		return nil, nil // the servers have it
	}
	r, err := readState(c.Spec)
	switch {
	case errors.Is(err, job.ErrNotFound):
		return nil, fmt.Errorf("--more-epochs: %w: want the folder of a model with its training state, as train keeps it (see checkpoint.final): "+
			"else train its spec with more epochs from the start, which has the same result", err)
	case err != nil:
		return nil, fmt.Errorf("--more-epochs: %w", err)
	case r.State != job.Succeeded:
		return nil, fmt.Errorf("--more-epochs: job %s in %s was stopped after step %d: want --resume with its spec: %w", r.ID, c.Spec, r.Checkpoints[0].Step, job.ErrConflict)
	}
	c.extends = &r
	s, err := spec.Decode(r.Spec)
	if err != nil {
		return nil, fmt.Errorf("the spec that is kept in %s: %w", c.Spec, err)
	}
	s.ID = ""
	text, _, err := spec.Canonical(s)
	return text, err
}

// extend records the job that goes on from the finished one. Its training state comes from
// its folder, or is on the given servers.
func (c *Command) extend(ctx context.Context, a *api.API, stores *settings.Opened) (job.ID, error) {
	if c.extends == nil {
		status, err := a.Continue(ctx, fmt.Appendf(nil, `{"id":%q,"epochs":%d}`, filepath.Base(c.Spec), c.More))
		return status.ID, err
	}
	from, err := blob.NewDirectory(filepath.Join(c.Spec, stateFolder, blobsFolder))
	if err != nil {
		return "", err
	}
	m, err := checkpoint.Open(ctx, from, c.extends.Checkpoints[0].Digest)
	if err != nil {
		return "", fmt.Errorf("the training state in %s: %w", c.Spec, err)
	}
	for _, digest := range append(m.Parts(), c.extends.Checkpoints[0].Digest, c.extends.Plan) {
		if err := copyBlob(ctx, stores.Blobs, from, digest); err != nil {
			return "", fmt.Errorf("the training state in %s: %w", c.Spec, err)
		}
	}
	status, err := a.Extend(ctx, *c.extends, c.More, "")
	return status.ID, err
}

// dropEnded deletes the training state of a job that has failed after its last step: there is
// nothing to go on to.
func (s *state) dropEnded() {
	s.mu.Lock()
	ended := s.step > 0 && s.step == s.record.Steps
	s.mu.Unlock()
	if ended {
		_ = s.drop()         // a job that is trained again overwrites what is left
		_ = os.Remove(s.dir) // fails if it holds other files
	}
}

// settle keeps the training state after the last step, beside the model of a finished job,
// and deletes any older one.
func (c *Command) settle(s *state, o *job.Outcome) error {
	s.mu.Lock()
	r, step := s.record, s.step
	s.mu.Unlock()
	if step != o.Steps || r.ID != o.Job || c.DropState {
		return s.drop()
	}
	r.State, r.Outcome = job.Succeeded, o
	if err := writeRecord(filepath.Join(s.dir, stateFolder), r); err != nil {
		return err
	}
	c.settled = fmt.Sprintf("state        %s (%s; coordinator train --more-epochs N %s goes on from it)",
		filepath.Join(s.dir, stateFolder), humanize.Bytes(uint64(r.Checkpoints[0].Bytes)), quoted(s.dir))
	return nil
}
