package broker

import (
	"context"
	"errors"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
)

// rewatchEvery is how often a watch is started again: after a reconnect, the server may
// report no more changes to the old one.
const rewatchEvery = 15 * time.Second

// watcher remembers which entries it has passed to handle.
//
// Invariant: handle has had the newest value of every record whose revision is at most
// last. One number is enough, because the bucket reports in the order of revisions.
type watcher struct {
	r       *Records
	handle  func(Entry)
	last    uint64    // greatest revision passed to handle
	created time.Time // creation time of the bucket to which last belongs
	// renewed is closed when the bucket was created again: then the watched bucket is gone.
	renewed <-chan struct{}
}

// Watch calls handle for every record and for every change of a record, the oldest first,
// until ctx ends. It may skip values that were replaced soon, but never the newest. It does
// not report removed records. It reads only what has changed, and stores no record.
func (r *Records) Watch(ctx context.Context, handle func(Entry)) error {
	w := &watcher{r: r, handle: handle}
	connected := r.c.nc.StatusChanged(nats.CONNECTED)
	defer r.c.nc.RemoveStatusListener(connected)
	pauses, failing, failures := newBackOff(), rateLimited(r.c.log), 0
	for {
		w.renewed = r.c.renewed.next()
		err := w.once(ctx, connected)
		if ctx.Err() != nil {
			return ctx.Err()
		}
		if err == nil {
			pauses.Reset()
			failures = 0
			continue
		}
		failures++
		failing.Warn().Err(err).Int("failures", failures).Msg("cannot read the job records; trying again")
		if err := pause(ctx, pauses.NextBackOff()); err != nil {
			return err
		}
	}
}

// once passes new entries to handle, until it is time to start the watch again.
func (w *watcher) once(ctx context.Context, connected <-chan nats.Status) error {
	updates, stop, err := w.begin(ctx)
	if err != nil {
		return err
	}
	defer stop()
	late := time.NewTimer(rewatchEvery)
	defer late.Stop()
	for {
		select {
		case e, ok := <-updates:
			if !ok {
				return errors.New("the watch ended")
			}
			if e != nil {
				w.see(e)
			}
		case <-connected:
			return nil
		case <-w.renewed:
			return nil
		case <-late.C:
			return nil
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// begin asks the bucket for all entries after last.
func (w *watcher) begin(ctx context.Context) (updates <-chan jetstream.KeyValueEntry, stop func(), err error) {
	kv, err := w.r.bucket.get(ctx)
	if err != nil {
		return nil, nil, err
	}
	if err := w.check(ctx, kv); err != nil {
		return nil, nil, err
	}
	options := []jetstream.WatchOpt{jetstream.IgnoreDeletes()}
	if w.last > 0 {
		options = append(options, jetstream.ResumeFromRevision(w.last+1))
	}
	ctx, cancel := context.WithCancel(ctx) // the client library waits until this context ends
	kw, err := kv.WatchAll(ctx, options...)
	if err != nil {
		cancel()
		return nil, nil, err
	}
	return kw.Updates(), func() { abandon(w.r.c, kw); cancel() }, nil
}

// check starts with the first record again when the bucket is not the same as before: it
// was lost, or an older one was restored.
func (w *watcher) check(ctx context.Context, kv jetstream.KeyValue) error {
	ctx, cancel := context.WithTimeout(ctx, rewatchEvery)
	defer cancel()
	info, err := bucketInfo(ctx, kv)
	if err != nil {
		return err
	}
	if !info.Created.Equal(w.created) || info.State.LastSeq < w.last {
		w.last, w.created = 0, info.Created
	}
	return nil
}

// see passes an entry to handle, unless it did so before.
func (w *watcher) see(e jetstream.KeyValueEntry) {
	if e.Revision() <= w.last {
		return
	}
	w.last = e.Revision()
	entry, err := decodeRecord(e)
	if err != nil {
		w.r.c.log.Error().Err(err).Msg("skipped a job record that cannot be read")
		return
	}
	w.r.c.contain("a job's record", func() { w.handle(entry) })
}
