package compute

import (
	"context"
	"fmt"

	"tributary/shared/checkpoint"
	"tributary/shared/job"
	"tributary/shared/notice"
)

// checkpoint writes the replica as it stands, at the task's step or later, to the
// blob store, with what the ledger knows beside it. One that was written before
// and of which nobody heard is announced again instead.
func (c *Computer) checkpoint(ctx context.Context, p *program, t job.Task, progress func()) error {
	d, err := checkpoint.Written(ctx, c.ledger, p.layout, c.blobs, t.Step)
	if err != nil {
		return err
	}
	if d == nil {
		if d, err = c.save(ctx, p, t, progress); err != nil {
			return err
		}
	}
	c.announced(c.announce.PublishCheckpointed(notice.Checkpointed{Ref: t.Ref, Step: d.Manifest.Step, Digest: d.Digest}))
	return nil
}

func (c *Computer) save(ctx context.Context, p *program, t job.Task, progress func()) (*checkpoint.Draft, error) {
	snap, state, err := c.still(ctx, p, t, progress)
	if err != nil {
		return nil, err
	}
	if snap.Step < 1 || state.Committed < snap.Step {
		return nil, fmt.Errorf("checkpoint of step %d: the ledger has %d steps: %w", snap.Step, state.Committed, job.ErrStale)
	}
	// The replica may go back while the ledger is read.
	from, marks, err := p.replica.Marks(ctx)
	if err != nil {
		return nil, err
	}
	if n := from + int64(len(marks)); n < snap.Step {
		return nil, fmt.Errorf("checkpoint of step %d: the replica has gone back to step %d: %w", snap.Step, n, job.ErrStale)
	}
	s, err := checkpoint.Gather(ctx, c.ledger, p.layout, snap)
	if err != nil {
		return nil, err
	}
	if err := s.Remember(from, marks); err != nil {
		return nil, err
	}
	progress()
	s.Plan, s.Numerics = t.Plan, t.Numerics
	d, err := checkpoint.NewDraft(s)
	if err != nil {
		return nil, err
	}
	progress()
	if err := d.Announce(ctx, c.ledger, p.layout); err != nil {
		return nil, err
	}
	return d, d.Write(ctx, c.blobs, progress)
}
