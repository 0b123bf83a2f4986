package settings

import (
	"context"
	"errors"
	"sync/atomic"

	"tributary/shared/telemetry"
)

// Ready tells whether the stores can be reached, also while they are still
// being connected to. The zero value is not ready.
type Ready struct{ stores atomic.Pointer[Opened] }

// Set says that the stores are connected.
func (r *Ready) Set(o *Opened) { r.stores.Store(o) }

var errConnecting = errors.New("connecting")

// Checks are for the health server.
func (r *Ready) Checks() []telemetry.Check {
	return []telemetry.Check{
		{Name: "nats", Ask: func(context.Context) error {
			o := r.stores.Load()
			switch {
			case o == nil:
				return errConnecting
			case !o.Conn.Connected():
				return errors.New("not connected")
			}
			return nil
		}},
		{Name: "redis", Ask: func(ctx context.Context) error {
			o := r.stores.Load()
			if o == nil {
				return errConnecting
			}
			return o.Ledger.Ping(ctx)
		}},
	}
}
