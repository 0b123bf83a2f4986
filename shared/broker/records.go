package broker

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"iter"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"tributary/shared/job"
	"tributary/shared/readable"
)

// Records stores job records in the jobs bucket, by job id. The bucket is on disk: records
// survive a restart of the server.
type Records struct {
	c      *Conn
	bucket lazy[jetstream.KeyValue]
}

// Entry is a record at a revision.
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

// Create adds a record. It fails with job.ErrConflict when the id has a record already, and
// with job.ErrFull when the bucket has too little space for another job.
func (r *Records) Create(ctx context.Context, rec job.Record) (revision uint64, err error) {
	kv, data, err := r.prepare(ctx, &rec, growth)
	if err == nil {
		err = checkSpace(ctx, kv, int64(len(data))+growth)
		if errors.Is(err, job.ErrFull) {
			if _, known := kv.Get(ctx, string(rec.ID)); known == nil {
				err = jetstream.ErrKeyExists // a client that submits the same job again gets the job's state
			}
		}
	}
	if err == nil {
		revision, err = kv.Create(ctx, string(rec.ID), data)
	}
	return revision, wrap(fmt.Sprintf("create the record of job %s", rec.ID), err)
}

// Update replaces the record that is at revision. It fails with job.ErrConflict when
// another process has changed or removed it since.
func (r *Records) Update(ctx context.Context, rec job.Record, revision uint64) (uint64, error) {
	kv, data, err := r.prepare(ctx, &rec, 0)
	if err == nil {
		revision, err = kv.Update(ctx, string(rec.ID), data, revision)
	}
	return revision, wrap(fmt.Sprintf("update the record of job %s", rec.ID), err)
}

// prepare opens the bucket and encodes the record. It checks that the record is within its
// limits, with room for reserve more bytes.
func (r *Records) prepare(ctx context.Context, rec *job.Record, reserve int64) (jetstream.KeyValue, []byte, error) {
	if err := rec.ID.Validate(); err != nil {
		return nil, nil, fmt.Errorf("%w: %w", err, job.ErrInvalid)
	}
	data, err := readable.JSON(rec)
	if err != nil {
		return nil, nil, err
	}
	if limit := r.c.nc.MaxPayload(); limit > 0 && int64(len(data))+headroom+reserve > limit {
		return nil, nil, fmt.Errorf("it has %d bytes; the server's max_payload allows %d; put the rows into a file: %w", len(data), limit-headroom-reserve, job.ErrInvalid)
	}
	kv, err := r.bucket.get(ctx)
	return kv, data, err
}

// headroom is the room for headers in a message of the greatest size, in bytes.
const headroom = 1024

// growth is by how many bytes a record may grow during the job: by its plan, an error, an
// outcome.
const growth = 32 << 10

// checkSpace fails with job.ErrFull unless the bucket has space for a new record of size
// bytes, plus an eighth of its whole space. The eighth is for existing jobs: their
// records grow until the jobs end, and no job must hang for lack of space.
func checkSpace(ctx context.Context, kv jetstream.KeyValue, size int64) error {
	info, err := bucketInfo(ctx, kv)
	if err != nil {
		return err
	}
	limit := info.Config.MaxBytes
	if used := int64(info.State.Bytes); limit > 0 && used+size > limit/8*7 {
		return fmt.Errorf("the records of %d jobs take %d bytes; at most %d are for new jobs; remove jobs that have ended: %w",
			info.State.Msgs, used, limit/8*7, job.ErrFull)
	}
	return nil
}

// Get reads a record. It fails with job.ErrNotFound when there is none, and with
// job.ErrCorrupt when the value is not a record. Then the entry has only the revision, with
// which Delete removes the value.
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

// Record reads a record and returns it without its revision.
func (r *Records) Record(ctx context.Context, id job.ID) (job.Record, error) {
	e, err := r.Get(ctx, id)
	return e.Record, err
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

// markerTTL is how long a removed record leaves a deletion marker.
const markerTTL = time.Minute

// Delete removes the record that is at revision, with its history. It fails with
// job.ErrConflict when another process has changed it since. A record that does not exist
// is no error.
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

// All yields every record; the one that was changed longest ago comes first. It holds one
// record at a time, so its memory does not grow with their number. For a record that cannot
// be decoded, it yields job.ErrCorrupt and continues. Any other error is the last item.
func (r *Records) All(ctx context.Context) iter.Seq2[Entry, error] {
	return func(yield func(Entry, error) bool) {
		const doing = "list the job records"
		kv, err := r.bucket.get(ctx)
		if err != nil {
			yield(Entry{}, wrap(doing, err))
			return
		}
		ctx, cancel := context.WithCancel(ctx) // the client library waits until this context ends
		defer cancel()
		w, err := kv.WatchAll(ctx, jetstream.IgnoreDeletes())
		if err != nil {
			yield(Entry{}, wrap(doing, err))
			return
		}
		defer abandon(r.c, w)
		for e, err := range initial(ctx, w.Updates(), func(e jetstream.KeyValueEntry) bool { return e == nil }) {
			if err != nil {
				yield(Entry{}, wrap(doing, err))
				return
			}
			if !yield(decodeRecord(e)) {
				return
			}
		}
	}
}

// bucketInfo describes the stream of a bucket.
func bucketInfo(ctx context.Context, kv jetstream.KeyValue) (*jetstream.StreamInfo, error) {
	status, err := kv.Status(ctx)
	if err != nil {
		return nil, err
	}
	s, ok := status.(*jetstream.KeyValueBucketStatus)
	if !ok {
		return nil, fmt.Errorf("bucket %s: its status does not describe its stream", kv.Bucket())
	}
	return s.StreamInfo(), nil
}
