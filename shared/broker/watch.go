package broker

import (
	"context"
	"errors"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
)

// rewatchEvery is how often a watch is begun anew: after a reconnect the server may
// report no more changes to the old one.
const rewatchEvery = 15 * time.Second

// watcher remembers what it has handed over.
//
// Invariant: handle has had the newest value of every record whose revision is at
// most last. One number is enough, because the bucket reports in order of revisions.
type watcher struct {
	r       *Records
	handle  func(Entry)
	last    uint64    // greatest revision handed over
	created time.Time // of the bucket that last belongs to
	// renewed is closed when the bucket was made again: what is watched then is gone.
	renewed <-chan struct{}
}

// Watch calls handle for every record and for every change of one, oldest
// first, until ctx ends. It may skip values that were soon replaced, never the
// newest. Removed records are not reported. It reads what has changed only, and
// remembers no record.
func (r *Records) Watch(ctx context.Context, handle func(Entry)) error {
	w := &watcher{r: r, handle: handle}
	connected := r.c.nc.StatusChanged(nats.CONNECTED)
	defer r.c.nc.RemoveStatusListener(connected)
	pauses, failing, failures := newBackOff(), sparing(r.c.log), 0
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

// once hands over what is new, until it is time to begin anew.
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

// begin asks the bucket for what comes after last.
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
	ctx, cancel := context.WithCancel(ctx) // the client library waits for its end
	kw, err := kv.WatchAll(ctx, options...)
	if err != nil {
		cancel()
		return nil, nil, err
	}
	return kw.Updates(), func() { abandon(w.r.c, kw); cancel() }, nil
}

// check begins with the first record again when the bucket is another than before:
// somebody lost it, or restored an older one.
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

// see hands an entry over, unless it was handed over before.
func (w *watcher) see(e jetstream.KeyValueEntry) {
	if e.Revision() <= w.last {
		return
	}
	w.last = e.Revision()
	entry, err := decodeRecord(e)
	if err != nil {
		w.r.c.log.Error().Err(err).Msg("left out a job record")
		return
	}
	w.r.c.contain("a job's record", func() { w.handle(entry) })
}
