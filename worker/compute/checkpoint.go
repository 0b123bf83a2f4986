package compute

import (
	"context"

	"tributary/shared/checkpoint"
	"tributary/shared/job"
	"tributary/shared/notice"
)

// checkpoint writes the replica to the blob store, at the task's step or a later one,
// together with the state of the ledger. If such a checkpoint exists already because its
// announcement was lost, checkpoint announces that one again instead.
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
	snap, _, err := c.still(ctx, p, t, progress)
	if err != nil {
		return nil, err
	}
	return checkpoint.Save(ctx, c.ledger, p.layout, c.blobs, p.replica, snap, t.Numerics, progress)
}
