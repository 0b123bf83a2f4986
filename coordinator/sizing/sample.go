package sizing

import (
	"context"
	"errors"
	"maps"

	"tributary/coordinator/ingest"
	"tributary/shared/blob"
	"tributary/shared/dataset"
	"tributary/shared/gradient"
	"tributary/shared/job"
	"tributary/shared/plan"
	"tributary/shared/spec"
)

// sample is an engine with the job's shape on invented rows.
type sample struct {
	engine *gradient.Engine
	rows   int // of the real training split
}

const (
	chunkLen = 64 << 10 // parameters in a ledger chunk, as for jobs
	batches  = 4        // batches of invented rows
)

// sample reads the job's data for its shape and keeps none of it.
func (c *Command) sample(ctx context.Context) (*sample, error) {
	data, err := spec.Read(c.Spec)
	if err != nil {
		return nil, err
	}
	s, err := spec.Decode(data)
	if err != nil {
		return nil, err
	}
	m, err := ingest.Run(ctx, s, &ingest.Roots{Anywhere: true, Outside: c.Outside}, discardStore{}, nil)
	if err != nil {
		return nil, err
	}
	s.Model.Init.From = "" // other weights take the same time
	if _, err := plan.Make(s, m, chunkLen, nil); err != nil {
		return nil, err
	}
	out, like := &sample{rows: m.Rows(job.Train)}, *m
	store := blob.NewMemory(0)
	if like.Splits, err = made(ctx, store, m, min(s.Batch, out.rows)*batches); err != nil {
		return nil, err
	}
	bare := *s
	bare.Schedule = job.Schedule{} // takes no time, and may be longer than the sample
	p, err := plan.Make(&bare, &like, chunkLen, nil)
	if err != nil {
		return nil, err
	}
	out.engine, err = gradient.Compile(ctx, p, store, dataset.NewCache(store, cacheBytes))
	return out, err
}

// cacheBytes is the worker's default, in bytes.
const cacheBytes = 512 << 20

// made puts invented rows into store, in blocks as long as the real ones. It returns the
// splits, with these blocks for training.
func made(ctx context.Context, store blob.Store, m *dataset.Manifest, rows int) (map[job.Split][]dataset.BlockRef, error) {
	splits := maps.Clone(m.Splits)
	per := m.Splits[job.Train][0].Rows
	splits[job.Train] = nil
	for left := rows; left > 0; left -= per {
		b := &dataset.Block{Rows: min(left, per), Features: m.Features, Targets: m.Targets}
		b.X, b.Y = make([]float32, b.Rows*m.Features), make([]float32, b.Rows*m.Targets)
		for i := range b.X {
			b.X[i] = float32(i*7919%1013)/1013 - 0.5
			if e := m.Preprocessing.Embedding(); i%m.Features >= m.Features-e.Columns {
				b.X[i] = float32(i * 7919 % e.Rows)
			}
		}
		for i := range b.Y {
			b.Y[i] = float32(i % max(2, len(m.Classes)))
			if m.Weight != nil && i%m.Targets == m.Targets-1 {
				b.Y[i] = float32(min(1, m.Weight.Greatest))
			}
		}
		data := dataset.Encode(b)
		digest, err := store.Put(ctx, data)
		if err != nil {
			return nil, err
		}
		splits[job.Train] = append(splits[job.Train], dataset.BlockRef{Digest: digest, Rows: b.Rows, Bytes: len(data)})
	}
	return splits, nil
}

// discardStore is a blob store that discards all blobs.
type discardStore struct{}

var errForgotten = errors.New("this store discards all blobs")

// Put implements blob.Store.
func (discardStore) Put(_ context.Context, data []byte) (job.Digest, error) {
	return blob.DigestOf(data), nil
}

// Get implements blob.Store.
func (discardStore) Get(context.Context, job.Digest) ([]byte, error) {
	return nil, errors.Join(errForgotten, job.ErrNotFound)
}

// Has implements blob.Store.
func (discardStore) Has(context.Context, job.Digest) (bool, error) { return false, nil }

// Delete implements blob.Store.
func (discardStore) Delete(context.Context, job.Digest) error { return nil }
