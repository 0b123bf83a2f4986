package run

import (
	"context"
	"sync"

	"tributary/shared/blob"
	"tributary/shared/job"
)

// patientBlobs is a blob store that waits while it cannot store a blob, for example when
// the disk is full. So the job need not read its dataset again. While it waits, the
// record does not say that the job is preparing, so that blobs without a job can be
// deleted. Blobs of this job may be deleted with them; the job finds that before it
// records its plan.
type patientBlobs struct {
	blob.Store
	d  *driver
	mu sync.Mutex // held by the caller that waits, for all callers
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

// patience is how many times Put tries a blob before the job makes room: 0.6 s.
const patience = 6

// makeRoom allows the deletion of blobs that no job needs and requests it.
func (b *patientBlobs) makeRoom(ctx context.Context) error {
	_, err := b.d.change(ctx, func(r *job.Record) { r.State = job.Submitted })
	if err == nil && b.d.service.cfg.Collect != nil {
		b.d.service.cfg.Collect()
	}
	return err
}
