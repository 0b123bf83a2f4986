package broker

import (
	"context"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"tributary/shared/job"
)

// relistEvery is how often a watch reads all records beside being told of
// changes: after a reconnect it may be told of nothing any more.
const relistEvery = 15 * time.Second

// watcher remembers what handle has seen.
type watcher struct {
	r      *Records
	handle func(Entry)
	seen   map[job.ID]uint64 // revision last handed over
	// renewed is closed when the bucket was made again: what is watched then is gone.
	renewed <-chan struct{}
}

// Watch calls handle for every record and for every change of one, oldest
// first, until ctx ends. It may skip values that were soon replaced, never the
// newest. Removed records are not reported.
func (r *Records) Watch(ctx context.Context, handle func(Entry)) error {
	w := &watcher{r: r, handle: handle, seen: make(map[job.ID]uint64)}
	ticker := time.NewTicker(relistEvery)
	defer ticker.Stop()
	connected := r.c.nc.StatusChanged(nats.CONNECTED)
	defer r.c.nc.RemoveStatusListener(connected)
	pauses, failing, failures := newBackOff(), sparing(r.c.log), 0
	for {
		w.renewed = r.c.renewed.next()
		updates, stop := w.begin(ctx)
		err := w.list(ctx)
		if err == nil {
			pauses.Reset()
			failures = 0
			err = w.follow(ctx, updates, connected, ticker.C)
		}
		stop()
		if ctx.Err() != nil {
			return ctx.Err()
		}
		if err != nil {
			failures++
			failing.Warn().Err(err).Int("failures", failures).Msg("cannot read the job records; trying again")
		}
		if err := pause(ctx, pauses.NextBackOff()); err != nil {
			return err
		}
	}
}

// begin asks to be told of changes. Without an answer there are no updates,
// and polling alone has to do.
func (w *watcher) begin(ctx context.Context) (updates <-chan jetstream.KeyValueEntry, stop func()) {
	stop = func() {}
	kv, err := w.r.bucket.get(ctx)
	if err != nil {
		return nil, stop
	}
	kw, err := kv.WatchAll(ctx, jetstream.UpdatesOnly(), jetstream.IgnoreDeletes())
	if err != nil {
		return nil, stop
	}
	return kw.Updates(), func() {
		if ctx.Err() != nil && !w.r.c.Connected() {
			return // it would ask the server for seconds; the connection's end is the watch's
		}
		_ = kw.Stop()
	}
}

// list hands over what is new among all records.
func (w *watcher) list(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, relistEvery)
	defer cancel()
	all, err := w.r.List(ctx)
	if err != nil {
		return err
	}
	there := make(map[job.ID]uint64, len(all))
	for _, e := range all {
		w.see(e)
		there[e.Record.ID] = w.seen[e.Record.ID]
	}
	w.seen = there // forgets the removed ones
	return nil
}

// follow hands over changes, and reads all records at every tick. It returns
// when the updates end, or may have ended: after a reconnect.
func (w *watcher) follow(ctx context.Context, updates <-chan jetstream.KeyValueEntry, connected <-chan nats.Status, tick <-chan time.Time) error {
	for {
		select {
		case e, ok := <-updates:
			if !ok {
				return nil
			}
			if e == nil {
				continue
			}
			if entry, err := decodeRecord(e); err != nil {
				w.r.leaveOut(e, err)
			} else {
				w.see(entry)
			}
		case <-connected:
			return nil
		case <-w.renewed:
			return nil
		case <-tick:
			if err := w.list(ctx); err != nil {
				return err
			}
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// see hands an entry over unless it or a later one was.
func (w *watcher) see(e Entry) {
	if e.Revision > w.seen[e.Record.ID] {
		w.seen[e.Record.ID] = e.Revision
		w.handle(e)
	}
}
