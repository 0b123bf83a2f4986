package run

import (
	"context"
	"sync/atomic"
	"time"

	"golang.org/x/sync/errgroup"

	"tributary/shared/job"
)

// collectingEvery is how often a driver checks whether a deletion of blobs, which takes
// about a second, still runs.
const collectingEvery = 50 * time.Millisecond

// uncollected waits until no process deletes blobs. While the record says that the job is
// preparing, no coordinator starts to delete, because each reads the record first. So a
// blob that the job then finds in the store stays there until the plan that names it is
// recorded.
func (d *driver) uncollected(ctx context.Context) error {
	if d.service.cfg.Collecting == nil {
		return nil
	}
	for {
		busy, err := persist(ctx, d, "check whether blobs are being deleted", func() (bool, error) {
			return d.service.cfg.Collecting(ctx)
		})
		if err != nil || !busy {
			return err
		}
		if err := pause(ctx, collectingEvery); err != nil {
			return err
		}
	}
}

// lookups is the number of concurrent lookups of blobs.
const lookups = 16

// missing counts the blobs that are not in the store.
func (d *driver) missing(ctx context.Context, blobs []job.Digest) (int64, error) {
	if err := d.uncollected(ctx); err != nil {
		return 0, err
	}
	var missing atomic.Int64
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(lookups)
	for _, digest := range blobs {
		group.Go(func() error {
			has, err := d.service.cfg.Blobs.Has(ctx, digest)
			if err == nil && !has {
				missing.Add(1)
			}
			return err
		})
	}
	err := group.Wait()
	return missing.Load(), err
}
