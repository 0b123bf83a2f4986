package broker

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"tributary/shared/job"
)

// MaxRecords bounds the job records that are listed.
const MaxRecords = 10_000

// Records keeps job records in the jobs bucket, by job id. The bucket is on
// disk: a record that was created outlives the server.
type Records struct {
	c      *Conn
	bucket lazy[jetstream.KeyValue]

	mu         sync.Mutex
	unreadable map[string]uint64 // key → the revision that was logged as unreadable
}

// Entry is a record as it stood at a revision.
type Entry struct {
	Record   job.Record
	Revision uint64
}

// Records returns the job records.
func (c *Conn) Records() *Records {
	return &Records{c: c, bucket: lazy[jetstream.KeyValue]{open: func(ctx context.Context) (jetstream.KeyValue, error) {
		return c.js.KeyValue(ctx, JobBucket)
	}}}
}

// Create adds a record. It fails with job.ErrConflict when the id has one.
func (r *Records) Create(ctx context.Context, rec job.Record) (revision uint64, err error) {
	kv, data, err := r.prepare(ctx, &rec, growth)
	if err == nil {
		revision, err = kv.Create(ctx, string(rec.ID), data)
	}
	return revision, wrap(fmt.Sprintf("create the record of job %s", rec.ID), err)
}

// Update replaces a record as it stood at revision. It fails with
// job.ErrConflict when somebody else changed or removed it since.
func (r *Records) Update(ctx context.Context, rec job.Record, revision uint64) (uint64, error) {
	kv, data, err := r.prepare(ctx, &rec, 0)
	if err == nil {
		revision, err = kv.Update(ctx, string(rec.ID), data, revision)
	}
	return revision, wrap(fmt.Sprintf("update the record of job %s", rec.ID), err)
}

// prepare opens the bucket and encodes the record within its limits, with room
// for reserve bytes more.
func (r *Records) prepare(ctx context.Context, rec *job.Record, reserve int64) (jetstream.KeyValue, []byte, error) {
	if err := rec.ID.Validate(); err != nil {
		return nil, nil, fmt.Errorf("%w: %w", err, job.ErrInvalid)
	}
	data, err := json.Marshal(rec)
	if err != nil {
		return nil, nil, err
	}
	if limit := r.c.nc.MaxPayload(); limit > 0 && int64(len(data))+headroom+reserve > limit {
		return nil, nil, fmt.Errorf("it has %d bytes; the server's max_payload allows %d; put the rows into a file: %w", len(data), limit-headroom-reserve, job.ErrInvalid)
	}
	kv, err := r.bucket.get(ctx)
	return kv, data, err
}

// headroom is left for headers in a message of the greatest size.
const headroom = 1024

// growth is what a record may become longer by in its life: its plan, an
// error, an outcome.
const growth = 32 << 10

// Get reads a record. It fails with job.ErrNotFound when there is none. A value
// that is no record is job.ErrCorrupt; the entry then has the revision alone, with
// which Delete removes it.
func (r *Records) Get(ctx context.Context, id job.ID) (Entry, error) {
	doing := fmt.Sprintf("read the record of job %.80s", string(id))
	if id.Validate() != nil {
		return Entry{}, fmt.Errorf("%s: there is none of that name: %w", doing, job.ErrNotFound)
	}
	kv, err := r.bucket.get(ctx)
	if err != nil {
		return Entry{}, wrap(doing, err)
	}
	e, err := kv.Get(ctx, string(id))
	if err != nil {
		return Entry{}, wrap(doing, err)
	}
	entry, err := decodeRecord(e)
	return entry, wrap(doing, err)
}

func decodeRecord(e jetstream.KeyValueEntry) (Entry, error) {
	out := Entry{Revision: e.Revision()}
	if err := json.Unmarshal(e.Value(), &out.Record); err != nil {
		return Entry{Revision: out.Revision}, fmt.Errorf("decode record %.80s: %w: %w", e.Key(), err, job.ErrCorrupt)
	}
	if string(out.Record.ID) != e.Key() {
		return Entry{Revision: out.Revision}, fmt.Errorf("decode record %.80s: it names job %.80q: %w", e.Key(), string(out.Record.ID), job.ErrCorrupt)
	}
	return out, nil
}

// markerTTL is how long a removed record leaves a mark.
const markerTTL = time.Minute

// Delete removes a record as it stood at revision, with its history. It fails
// with job.ErrConflict when somebody else changed it since; removing one that is
// not there is no error.
func (r *Records) Delete(ctx context.Context, id job.ID, revision uint64) error {
	doing := fmt.Sprintf("delete the record of job %.80s", string(id))
	if id.Validate() != nil {
		return nil //nolint:nilerr // no record can have such an id
	}
	kv, err := r.bucket.get(ctx)
	if err == nil {
		err = kv.Purge(ctx, string(id), jetstream.LastRevision(revision), jetstream.PurgeTTL(markerTTL))
	}
	if err = classify(err); errors.Is(err, job.ErrConflict) {
		if _, gone := kv.Get(ctx, string(id)); errors.Is(gone, jetstream.ErrKeyNotFound) {
			return nil
		}
	}
	return wrap(doing, err)
}

// List reads every record, by id, at most MaxRecords. One that cannot be read
// is logged and left out.
func (r *Records) List(ctx context.Context) ([]Entry, error) {
	const doing = "list the job records"
	kv, err := r.bucket.get(ctx)
	if err != nil {
		return nil, wrap(doing, err)
	}
	w, err := kv.WatchAll(ctx, jetstream.IgnoreDeletes())
	if err != nil {
		return nil, wrap(doing, err)
	}
	defer func() { _ = w.Stop() }()
	var all []Entry
	for len(all) < MaxRecords {
		select {
		case e, ok := <-w.Updates():
			if !ok {
				return nil, wrap(doing, errors.Join(errors.New("the watch ended early"), ctx.Err()))
			}
			if e == nil { // that was all there is
				slices.SortFunc(all, func(a, b Entry) int { return strings.Compare(string(a.Record.ID), string(b.Record.ID)) })
				return all, nil
			}
			if entry, err := decodeRecord(e); err != nil {
				r.leaveOut(e, err)
			} else {
				all = append(all, entry)
			}
		case <-ctx.Done():
			return nil, wrap(doing, ctx.Err())
		}
	}
	return nil, fmt.Errorf("%s: there are more than %d; delete some: %w", doing, MaxRecords, job.ErrFull)
}

// maxUnreadable bounds the unreadable records that are remembered as logged.
const maxUnreadable = 1000

// leaveOut logs, once for each revision, that a value is no record.
func (r *Records) leaveOut(e jetstream.KeyValueEntry, err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.unreadable[e.Key()] == e.Revision() {
		return
	}
	if r.unreadable == nil || len(r.unreadable) >= maxUnreadable {
		r.unreadable = map[string]uint64{}
	}
	r.unreadable[e.Key()] = e.Revision()
	r.c.log.Error().Err(err).Uint64("revision", e.Revision()).Msg("left out a job record; jobs.remove deletes it")
}
