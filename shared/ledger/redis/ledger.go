// Package redis keeps the ledger in Redis, Valkey or a cluster of either: the
// one package that speaks Redis.
//
// It owns the keys (keys.go), the scripts (lua/) and the connections. It never
// adds vectors: they go through as bytes, in chunks, pipelined, from the memory
// they were computed in into the memory they are used in; scripts see those of
// tiny chunks alone, where a second round trip would cost more. Workers and the coordinator use it through
// ledger.Ledger.
//
// Invariant: a root is in the log before its chunk is counted as landed, and a
// partial is stored before its arrival is recorded, so that whatever a crash
// cuts off is repaired by calling again.
package redis

import (
	"context"
	"errors"

	goredis "github.com/redis/go-redis/v9"

	"tributary/shared/ledger"
)

// Ledger is a ledger.Ledger in Redis. Open makes one; Close ends it.
type Ledger struct {
	vectors goredis.UniversalClient // pipelines over smallBytes
	control goredis.UniversalClient // everything else
	limits  limits
}

var _ ledger.Ledger = (*Ledger)(nil)

// silent swallows what the client library logs by itself: every error it meets
// is returned to the caller too, who logs it once.
type silent struct{}

func (silent) Printf(context.Context, string, ...any) {}

func init() { goredis.SetLogger(silent{}) }

// Close ends all connections.
func (l *Ledger) Close() error { return errors.Join(l.vectors.Close(), l.control.Close()) }
