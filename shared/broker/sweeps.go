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
	"tributary/shared/trial"
)

// Sweeps stores the records of submitted sweeps, by id. The bucket is on disk.
type Sweeps struct {
	c      *Conn
	bucket lazy[jetstream.KeyValue]
}

// Sweeps returns the records of sweeps.
func (c *Conn) Sweeps() *Sweeps {
	return &Sweeps{c: c, bucket: lazy[jetstream.KeyValue]{open: func(ctx context.Context) (jetstream.KeyValue, error) {
		return c.js.KeyValue(ctx, SweepBucket)
	}}}
}

// Create adds a record that may grow by growth bytes. It fails with job.ErrConflict if there
// is a sweep of that id, and with job.ErrFull if the bucket has too little space.
func (s *Sweeps) Create(ctx context.Context, r trial.Record, growth int64) error {
	doing := fmt.Sprintf("create the record of sweep %s", r.ID)
	kv, data, err := s.prepare(ctx, &r, growth)
	if err == nil {
		err = checkSpace(ctx, kv, int64(len(data))+growth)
		if errors.Is(err, job.ErrFull) {
			err = fmt.Errorf("there is too little space for another sweep; remove sweeps that have ended: %w", job.ErrFull)
			if _, known := kv.Get(ctx, string(r.ID)); known == nil {
				err = jetstream.ErrKeyExists // a client that submits the same sweep again gets its state
			}
		}
	}
	if err == nil {
		_, err = kv.Create(ctx, string(r.ID), data)
	}
	return wrap(doing, err)
}

// Update replaces the record that is at revision. It fails with job.ErrConflict if another
// process has changed or removed it since.
func (s *Sweeps) Update(ctx context.Context, r trial.Record, revision uint64) error {
	kv, data, err := s.prepare(ctx, &r, 0)
	if err == nil {
		_, err = kv.Update(ctx, string(r.ID), data, revision)
	}
	return wrap(fmt.Sprintf("update the record of sweep %s", r.ID), err)
}

func (s *Sweeps) prepare(ctx context.Context, r *trial.Record, reserve int64) (jetstream.KeyValue, []byte, error) {
	if err := r.ID.Validate(); err != nil {
		return nil, nil, fmt.Errorf("%w: %w", err, job.ErrInvalid)
	}
	data, err := readable.JSON(r)
	if err != nil {
		return nil, nil, err
	}
	if limit := s.c.nc.MaxPayload(); limit > 0 && int64(len(data))+headroom+reserve > limit {
		return nil, nil, fmt.Errorf("it has %d bytes and needs %d for results; the server's max_payload allows %d in all; put the rows into a file, or want fewer trials: %w",
			len(data), reserve, limit-headroom, job.ErrInvalid)
	}
	kv, err := s.bucket.get(ctx)
	return kv, data, err
}

// Get reads a record and its revision. It fails with job.ErrNotFound if there is none, and
// with job.ErrCorrupt, and the revision, if the value is no record.
func (s *Sweeps) Get(ctx context.Context, id job.ID) (trial.Record, uint64, error) {
	doing := fmt.Sprintf("read the record of sweep %.80s", string(id))
	if id.Validate() != nil {
		return trial.Record{}, 0, fmt.Errorf("%s: there is none of that name: %w", doing, job.ErrNotFound)
	}
	kv, err := s.bucket.get(ctx)
	if err != nil {
		return trial.Record{}, 0, wrap(doing, err)
	}
	e, err := kv.Get(ctx, string(id))
	if err != nil {
		return trial.Record{}, 0, wrap(doing, err)
	}
	r, err := decodeSweep(e)
	return r, e.Revision(), wrap(doing, err)
}

func decodeSweep(e jetstream.KeyValueEntry) (r trial.Record, err error) {
	if err := json.Unmarshal(e.Value(), &r); err != nil {
		return trial.Record{}, fmt.Errorf("decode sweep %.80s: %w: %w", e.Key(), err, job.ErrCorrupt)
	}
	if string(r.ID) != e.Key() {
		return trial.Record{}, fmt.Errorf("decode sweep %.80s: it names %.80q: %w", e.Key(), string(r.ID), job.ErrCorrupt)
	}
	return r, nil
}

// Delete removes the record that is at revision. It fails with job.ErrConflict if another
// process has changed it since. A record that does not exist is no error.
func (s *Sweeps) Delete(ctx context.Context, id job.ID, revision uint64) error {
	kv, err := s.bucket.get(ctx)
	if err == nil {
		err = kv.Purge(ctx, string(id), jetstream.LastRevision(revision), jetstream.PurgeTTL(markerTTL))
	}
	if err = classify(err); errors.Is(err, job.ErrConflict) {
		if _, gone := kv.Get(ctx, string(id)); errors.Is(gone, jetstream.ErrKeyNotFound) {
			return nil
		}
	}
	return wrap(fmt.Sprintf("delete the record of sweep %.80s", string(id)), err)
}

// All yields every record, one at a time. For a value that is no record it yields
// job.ErrCorrupt and continues. Any other error is the last item.
func (s *Sweeps) All(ctx context.Context) iter.Seq2[trial.Record, error] {
	return func(yield func(trial.Record, error) bool) {
		kv, err := s.bucket.get(ctx)
		if err != nil {
			yield(trial.Record{}, wrap(listSweeps, err))
			return
		}
		for e, err := range s.entries(ctx, kv, 0) {
			if err != nil {
				yield(trial.Record{}, wrap(listSweeps, err))
				return
			}
			r, err := decodeSweep(e)
			if !yield(r, wrap(listSweeps, err)) {
				return
			}
		}
	}
}

const listSweeps = "list the sweeps"

// entries yields the entries after a revision.
func (s *Sweeps) entries(ctx context.Context, kv jetstream.KeyValue, after uint64) iter.Seq2[jetstream.KeyValueEntry, error] {
	return func(yield func(jetstream.KeyValueEntry, error) bool) {
		ctx, cancel := context.WithCancel(ctx) // the client library waits until this context ends
		defer cancel()
		options := []jetstream.WatchOpt{jetstream.IgnoreDeletes()}
		if after > 0 {
			options = append(options, jetstream.ResumeFromRevision(after+1))
		}
		w, err := kv.WatchAll(ctx, options...)
		if err != nil {
			yield(nil, err)
			return
		}
		defer abandon(s.c, w)
		for e, err := range initial(ctx, w.Updates(), func(e jetstream.KeyValueEntry) bool { return e == nil }) {
			if !yield(e, err) {
				return
			}
		}
	}
}

// SweepMark says up to where Changed has reported. The zero value is the beginning.
type SweepMark struct {
	created time.Time // of the bucket
	last    uint64
}

// Changed calls see for every record that has changed since the mark, and returns the new
// mark. If the bucket is another one than that of the mark, see gets every record. Changed does
// not report removed records, and skips values that are no records.
func (s *Sweeps) Changed(ctx context.Context, since SweepMark, see func(trial.Record)) (SweepMark, error) {
	kv, err := s.bucket.get(ctx)
	if err != nil {
		return since, wrap(listSweeps, err)
	}
	info, err := bucketInfo(ctx, kv)
	if err != nil {
		return since, wrap(listSweeps, err)
	}
	if !info.Created.Equal(since.created) || info.State.LastSeq < since.last {
		since = SweepMark{created: info.Created}
	}
	if info.State.LastSeq == since.last || info.State.Msgs == 0 {
		since.last = info.State.LastSeq
		return since, nil
	}
	for e, err := range s.entries(ctx, kv, since.last) {
		if err != nil {
			return since, wrap(listSweeps, err)
		}
		since.last = max(since.last, e.Revision())
		if r, err := decodeSweep(e); err == nil {
			see(r)
		} else {
			s.c.log.Error().Err(err).Msg("skipped the record of a sweep that cannot be read")
		}
	}
	since.last = max(since.last, info.State.LastSeq)
	return since, nil
}
