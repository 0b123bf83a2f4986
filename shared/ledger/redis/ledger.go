// Package redis implements the ledger in Redis, Valkey or a cluster of either. No other
// package of the program speaks Redis.
//
// It owns the keys (keys.go), the scripts (lua/) and the connections. It never adds
// vectors. It sends and receives them as bytes, in chunks and pipelines, directly from and
// to the caller's memory. Scripts see only the vectors of tiny chunks, for which a second
// round trip would cost more. Workers and the coordinator use the package through
// ledger.Ledger.
//
// Terms: a seal is the header and checksum of a chunk, stored apart from its floats. A
// chunk of a root has landed when the commit script has recorded that it is in the log.
//
// Invariant: a root is in the log before its chunk is recorded as landed, and a partial is
// stored before its arrival is recorded. So the caller repairs an interrupted call by
// calling again.
package redis

import (
	"context"
	"errors"

	goredis "github.com/redis/go-redis/v9"

	"tributary/shared/ledger"
)

// Ledger is a ledger.Ledger in Redis. Open creates it; Close ends it.
type Ledger struct {
	vectors goredis.UniversalClient // for pipelines with more than smallBytes of vectors
	control goredis.UniversalClient // everything else
	limits  limits
}

var _ ledger.Ledger = (*Ledger)(nil)

// silent discards the log lines of the client library: the library also returns every error
// to its caller, which logs it once.
type silent struct{}

func (silent) Printf(context.Context, string, ...any) {}

func init() { goredis.SetLogger(silent{}) }

// Close closes all connections.
func (l *Ledger) Close() error { return errors.Join(l.vectors.Close(), l.control.Close()) }
