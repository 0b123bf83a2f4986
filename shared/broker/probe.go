package broker

import (
	"context"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
)

// probeKey is the key in the buckets of records and leases that probes write.
// No job can have that id.
const probeKey = "_probe"

// usual is more than most records take when they are created, in bytes.
const usual = 4 << 10

// Probe reports whether a record could be created now: it writes a mark that
// no reader sees and that expires, and looks whether there is room for a record.
func (r *Records) Probe(ctx context.Context) error {
	const doing = "write to the bucket " + JobBucket
	kv, err := r.bucket.get(ctx)
	if err != nil {
		return wrap(doing, err)
	}
	if err := kv.Purge(ctx, probeKey, jetstream.PurgeTTL(markerTTL)); err != nil {
		return wrap(doing, err)
	}
	return wrap(doing, spare(ctx, kv, usual+growth))
}

// Probe reports whether a lease could be taken now.
func (l *Leases) Probe(ctx context.Context) error {
	const doing = "write to the bucket " + LeaseBucket
	kv, err := l.bucket.get(ctx)
	if err == nil {
		_, err = kv.Put(ctx, probeKey, nil)
	}
	return wrap(doing, err)
}

// Probe reports whether a model's files could be put now: it publishes a part that is of
// no object, in place of the one before. Tidy removes it. (An object that is put in a
// moment leaves a goroutine of the client library behind now and then.)
func (m *Models) Probe(ctx context.Context) error {
	part := nats.NewMsg("$O." + ModelBucket + ".C." + probeKey)
	part.Header.Set(jetstream.MsgRollup, jetstream.MsgRollupSubject)
	part.Data = []byte("x")
	_, err := m.c.js.PublishMsg(ctx, part)
	return wrap("write to the bucket "+ModelBucket, err)
}
