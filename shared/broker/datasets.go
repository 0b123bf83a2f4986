package broker

import (
	"context"
	"encoding/json"
	"fmt"
	"iter"

	"github.com/nats-io/nats.go/jetstream"

	"tributary/shared/catalog"
	"tributary/shared/job"
	"tributary/shared/readable"
)

// datasetBytes bounds the bucket of data sets, in bytes.
const datasetBytes = 8 << 20

// Datasets stores the entries of named data sets, by name. The bucket is on disk.
type Datasets struct {
	c      *Conn
	bucket lazy[jetstream.KeyValue]
}

// Datasets returns the entries of named data sets.
func (c *Conn) Datasets() *Datasets {
	return &Datasets{c: c, bucket: lazy[jetstream.KeyValue]{open: func(ctx context.Context) (jetstream.KeyValue, error) {
		return c.js.KeyValue(ctx, DatasetBucket)
	}}}
}

// Get implements catalog.Names.
func (d *Datasets) Get(ctx context.Context, name string) (catalog.Entry, uint64, error) {
	doing := fmt.Sprintf("read data set %.80s", name)
	if job.ID(name).Validate() != nil {
		return catalog.Entry{}, 0, fmt.Errorf("%s: there is none of that name: %w", doing, job.ErrNotFound)
	}
	kv, err := d.bucket.get(ctx)
	if err != nil {
		return catalog.Entry{}, 0, wrap(doing, err)
	}
	e, err := kv.Get(ctx, name)
	if err != nil {
		return catalog.Entry{}, 0, wrap(doing, err)
	}
	entry, err := decodeDataset(e)
	return entry, e.Revision(), wrap(doing, err)
}

func decodeDataset(e jetstream.KeyValueEntry) (out catalog.Entry, err error) {
	if err := json.Unmarshal(e.Value(), &out); err != nil {
		return out, fmt.Errorf("decode the entry %.80s: %w: %w", e.Key(), err, job.ErrCorrupt)
	}
	if out.Name != e.Key() {
		return out, fmt.Errorf("decode the entry %.80s: it names %.80q: %w", e.Key(), out.Name, job.ErrCorrupt)
	}
	return out, nil
}

// Set implements catalog.Names.
func (d *Datasets) Set(ctx context.Context, e catalog.Entry, revision uint64) error {
	doing := fmt.Sprintf("store data set %.80s", e.Name)
	data, err := readable.JSON(e)
	if err != nil {
		return wrap(doing, err)
	}
	if limit := d.c.nc.MaxPayload(); limit > 0 && int64(len(data))+headroom > limit {
		return fmt.Errorf("%s: its entry has %d bytes; the server's max_payload allows %d: remove versions: %w", doing, len(data), limit-headroom, job.ErrFull)
	}
	kv, err := d.bucket.get(ctx)
	if err != nil {
		return wrap(doing, err)
	}
	if revision == 0 {
		_, err = kv.Create(ctx, e.Name, data)
	} else {
		_, err = kv.Update(ctx, e.Name, data, revision)
	}
	return wrap(doing, err)
}

// All implements catalog.Names.
func (d *Datasets) All(ctx context.Context) iter.Seq2[catalog.Entry, error] {
	return func(yield func(catalog.Entry, error) bool) {
		const doing = "list the data sets"
		kv, err := d.bucket.get(ctx)
		if err != nil {
			yield(catalog.Entry{}, wrap(doing, err))
			return
		}
		ctx, cancel := context.WithCancel(ctx)
		defer cancel()
		w, err := kv.WatchAll(ctx, jetstream.IgnoreDeletes())
		if err != nil {
			yield(catalog.Entry{}, wrap(doing, err))
			return
		}
		defer abandon(d.c, w)
		for e, err := range initial(ctx, w.Updates(), func(e jetstream.KeyValueEntry) bool { return e == nil }) {
			if err != nil {
				yield(catalog.Entry{}, wrap(doing, err))
				return
			}
			entry, err := decodeDataset(e)
			if !yield(entry, wrap(doing, err)) {
				return
			}
		}
	}
}
