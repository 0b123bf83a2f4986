package broker

import (
	"context"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
)

// probeKey is the key that probes write in the buckets of records, leases and models. No
// job can have this id.
const probeKey = "_probe"

// usual is more than the size of most new records, in bytes.
const usual = 4 << 10

// Probe checks whether a record could be created now. It writes a marker that no reader
// sees and that expires, and checks whether there is space for a record.
func (r *Records) Probe(ctx context.Context) error {
	const doing = "write to the bucket " + JobBucket
	kv, err := r.bucket.get(ctx)
	if err != nil {
		return wrap(doing, err)
	}
	if err := kv.Purge(ctx, probeKey, jetstream.PurgeTTL(markerTTL)); err != nil {
		return wrap(doing, err)
	}
	return wrap(doing, checkSpace(ctx, kv, usual+growth))
}

// Probe checks whether a lease could be taken now.
func (l *Leases) Probe(ctx context.Context) error {
	const doing = "write to the bucket " + LeaseBucket
	kv, err := l.bucket.get(ctx)
	if err == nil {
		_, err = kv.Put(ctx, probeKey, nil)
	}
	return wrap(doing, err)
}

// Probe checks whether a model's files could be put now. It publishes a chunk that belongs
// to no object, which replaces the chunk of the last probe. Tidy removes it. (A probe that
// puts an object would sometimes leave a goroutine of the client library behind.)
func (m *Models) Probe(ctx context.Context) error {
	part := nats.NewMsg("$O." + ModelBucket + ".C." + probeKey)
	part.Header.Set(jetstream.MsgRollup, jetstream.MsgRollupSubject)
	part.Data = []byte("x")
	_, err := m.c.js.PublishMsg(ctx, part)
	return wrap("write to the bucket "+ModelBucket, err)
}
