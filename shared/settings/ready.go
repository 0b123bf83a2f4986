package settings

import (
	"context"
	"errors"
	"fmt"
	"os"
	"sync/atomic"
	"time"

	"tributary/shared/blob"
	"tributary/shared/broker"
	"tributary/shared/job"
	"tributary/shared/ledger"
	"tributary/shared/telemetry"
)

// Ready reports whether the stores can be used, even before they are connected. The zero
// value is not ready.
type Ready struct{ stores atomic.Pointer[probed] }

// probed holds the stores as the checks use them.
type probed struct {
	*Opened
	records *broker.Records
	leases  *broker.Leases
}

// Set records that the stores are connected.
func (r *Ready) Set(o *Opened) {
	r.stores.Store(&probed{o, o.Conn.Records(), o.Conn.Leases()})
}

// How long the answers of checks that write to a store are kept.
const (
	keepWrite = 3 * time.Second
	keepBlob  = 5 * time.Second
)

var (
	errConnecting   = errors.New("connecting")
	errDisconnected = errors.New("not connected")
)

// Coordinator returns the checks of a coordinator. It is ready if a job submitted now
// would be recorded and worked on.
func (r *Ready) Coordinator() []telemetry.Check {
	return []telemetry.Check{
		r.nats("nats", 0, func(context.Context, *probed) error { return nil }),
		r.nats("streams", time.Second, func(ctx context.Context, p *probed) error { return p.Conn.Missing(ctx) }),
		r.nats("jobs", keepWrite, func(ctx context.Context, p *probed) error { return p.records.Probe(ctx) }),
		r.nats("leases", keepWrite, func(ctx context.Context, p *probed) error { return p.leases.Probe(ctx) }),
		r.check("redis", keepWrite, redisWrites),
		r.check("blobs", keepBlob, func(ctx context.Context, p *probed) error { return blob.Probe(ctx, p.Blobs) }),
		{Name: "temp", Keep: keepWrite, Ask: func(context.Context) error { return tempWrites() }},
	}
}

// Worker returns the checks of a worker. It is ready if it could take and compute a task
// published now.
func (r *Ready) Worker() []telemetry.Check {
	return []telemetry.Check{
		r.nats("nats", 0, func(context.Context, *probed) error { return nil }),
		r.nats("tasks", time.Second, func(ctx context.Context, p *probed) error { return p.Conn.TasksMissing(ctx) }),
		r.check("redis", keepWrite, redisWrites),
		// A worker may not be allowed to delete what it puts.
		r.check("blobs", keepBlob, func(ctx context.Context, p *probed) error {
			_, err := p.Blobs.Has(ctx, blob.DigestOf(nil))
			return err
		}),
	}
}

// check returns a check of the stores. The check fails until they are connected.
func (r *Ready) check(name string, keep time.Duration, ask func(context.Context, *probed) error) telemetry.Check {
	return telemetry.Check{Name: name, Keep: keep, Ask: func(ctx context.Context) error {
		p := r.stores.Load()
		if p == nil {
			return errConnecting
		}
		return ask(ctx, p)
	}}
}

// nats returns a check that needs the connection to NATS.
func (r *Ready) nats(name string, keep time.Duration, ask func(context.Context, *probed) error) telemetry.Check {
	return r.check(name, keep, func(ctx context.Context, p *probed) error {
		if !p.Conn.Connected() {
			return errDisconnected
		}
		return ask(ctx, p)
	})
}

// probeLayout belongs to no job. It has many chunks, so that they lie on every master of
// a cluster.
var probeLayout = ledger.Layout{Ref: job.Ref{Job: "readyz", Run: "probe"}, Params: 256, ChunkLen: 1, Microbatch: 1}

// redisWrites checks that the ledger accepts a write.
func redisWrites(ctx context.Context, p *probed) error {
	return p.Ledger.Probe(ctx, probeLayout)
}

// tempProbe is how many bytes are written to test the folder for temporary files.
const tempProbe = 4096

// tempWrites fails when the folder for temporary files accepts no data, for example
// because its disk is full. Reading a dataset needs this folder.
func tempWrites() (err error) {
	f, err := os.CreateTemp("", "tributary-probe-*")
	if err != nil {
		return fmt.Errorf("folder for temporary files: %w", err)
	}
	_, err = f.Write(make([]byte, tempProbe))
	if err = errors.Join(err, f.Close(), os.Remove(f.Name())); err != nil {
		return fmt.Errorf("folder for temporary files: %w", err)
	}
	return nil
}
