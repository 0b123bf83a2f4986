package run

import (
	"context"
	"sync"

	"tributary/shared/blob"
	"tributary/shared/job"
)

// patientBlobs waits with a blob that cannot be stored now, as when the disk is
// full, so that a dataset is not read again for it. While it waits, the record does not
// say that the job prepares, so that blobs that no job needs can be deleted. What goes
// with them of the job's own is found missing before its plan is recorded.
type patientBlobs struct {
	blob.Store
	d  *driver
	mu sync.Mutex // held by the one that waits, for all
}

// Put implements blob.Store.
func (b *patientBlobs) Put(ctx context.Context, data []byte) (job.Digest, error) {
	digest, err := b.Store.Put(ctx, data)
	if err == nil || final(err) || ctx.Err() != nil {
		return digest, err
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	tries := 0
	digest, err = persist(ctx, b.d, "store the data", func() (job.Digest, error) {
		if tries++; tries == patience {
			if err := b.makeRoom(ctx); err != nil {
				return "", err
			}
		}
		return b.Store.Put(ctx, data)
	})
	if err != nil || tries < patience {
		return digest, err
	}
	if _, err := b.d.change(ctx, func(r *job.Record) { r.State = job.Preparing }); err != nil {
		return "", err
	}
	return digest, b.d.uncollected(ctx)
}

// patience is how many times a blob is tried before the job makes room: 0.6 s.
const patience = 6

// makeRoom lets blobs be deleted that no job needs, and asks for it.
func (b *patientBlobs) makeRoom(ctx context.Context) error {
	_, err := b.d.change(ctx, func(r *job.Record) { r.State = job.Submitted })
	if err == nil && b.d.service.cfg.Collect != nil {
		b.d.service.cfg.Collect()
	}
	return err
}
