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

// Ready tells whether the stores can be used, also while they are still
// being connected to. The zero value is not ready.
type Ready struct{ stores atomic.Pointer[probed] }

// probed is the stores as checks use them.
type probed struct {
	*Opened
	records *broker.Records
	leases  *broker.Leases
}

// Set says that the stores are connected.
func (r *Ready) Set(o *Opened) {
	r.stores.Store(&probed{o, o.Conn.Records(), o.Conn.Leases()})
}

// How long the answers of checks that write are kept.
const (
	keepWrite = 3 * time.Second
	keepBlob  = 5 * time.Second
)

var (
	errConnecting   = errors.New("connecting")
	errDisconnected = errors.New("not connected")
)

// Coordinator returns the checks of a coordinator: it is ready when a job that
// is submitted now is recorded and driven.
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

// Worker returns the checks of a worker: it is ready when a task that is
// published now can be taken and computed.
func (r *Ready) Worker() []telemetry.Check {
	return []telemetry.Check{
		r.nats("nats", 0, func(context.Context, *probed) error { return nil }),
		r.nats("tasks", time.Second, func(ctx context.Context, p *probed) error { return p.Conn.TasksMissing(ctx) }),
		r.check("redis", keepWrite, redisWrites),
		// A worker may have no permission to delete what it puts.
		r.check("blobs", keepBlob, func(ctx context.Context, p *probed) error {
			_, err := p.Blobs.Has(ctx, blob.DigestOf(nil))
			return err
		}),
	}
}

// check is a check of the stores, which fails until they are connected.
func (r *Ready) check(name string, keep time.Duration, ask func(context.Context, *probed) error) telemetry.Check {
	return telemetry.Check{Name: name, Keep: keep, Ask: func(ctx context.Context) error {
		p := r.stores.Load()
		if p == nil {
			return errConnecting
		}
		return ask(ctx, p)
	}}
}

// nats is a check that needs the connection to NATS.
func (r *Ready) nats(name string, keep time.Duration, ask func(context.Context, *probed) error) telemetry.Check {
	return r.check(name, keep, func(ctx context.Context, p *probed) error {
		if !p.Conn.Connected() {
			return errDisconnected
		}
		return ask(ctx, p)
	})
}

// probeLayout is of no job. Its many chunks lie on every master of a cluster.
var probeLayout = ledger.Layout{Ref: job.Ref{Job: "readyz", Run: "probe"}, Params: 256, ChunkLen: 1, Microbatch: 1}

// redisWrites asks the ledger for a write.
func redisWrites(ctx context.Context, p *probed) error {
	return p.Ledger.Probe(ctx, probeLayout)
}

// tempProbe is how many bytes are written to try the folder for temporary files.
const tempProbe = 4096

// tempWrites fails when the folder for temporary files takes none, as when its
// disk is full. Reading a dataset needs one.
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
