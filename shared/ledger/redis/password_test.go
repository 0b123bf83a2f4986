package redis

import (
	"testing"

	goredis "github.com/redis/go-redis/v9"
	"github.com/stretchr/testify/require"

	"tributary/shared/access"
	"tributary/shared/job"
	"tributary/shared/ledger"
	"tributary/shared/ledger/redis/redistest"
)

// A server whose password changes refuses new connections. Then no write may seem to have
// succeeded.
func TestAWriteThatTheServerRefusesFails(t *testing.T) {
	s := redistest.Start(t, "--requirepass", "first")
	if s == nil {
		return
	}
	l, err := Open(t.Context(), Config{URL: access.URL(s.URL), Password: "first"})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, l.Close()) })
	lay := ledger.Layout{Ref: job.Ref{Job: "readyz", Run: "probe"}, Params: 4, ChunkLen: 4, Microbatch: 1}
	require.NoError(t, l.Probe(t.Context(), lay))
	admin := goredis.NewClient(&goredis.Options{Addr: s.Addr, Password: "first"})
	t.Cleanup(func() { require.NoError(t, admin.Close()) })
	require.NoError(t, admin.ConfigSet(t.Context(), "requirepass", "second").Err())
	require.NoError(t, admin.Do(t.Context(), "CLIENT", "KILL", "TYPE", "normal").Err())
	require.ErrorContains(t, l.Probe(t.Context(), lay), "correct the programs' Redis settings")
	_, err = l.State(t.Context(), lay)
	require.Error(t, err)
	require.NoError(t, admin.ConfigSet(t.Context(), "requirepass", "first").Err())
	require.NoError(t, l.Probe(t.Context(), lay), "credentials may be given back while it runs")
}

// A server without AUTH or HELLO repeats their arguments.
func TestNoErrorRepeatsAPassword(t *testing.T) {
	err := classify(t.Context(), goredis.ErrClosed)
	require.ErrorIs(t, err, goredis.ErrClosed)
	err = classify(t.Context(), textError("ERR unknown command 'AUTH', with args beginning with: 'me' 'hidden' "))
	require.EqualError(t, err, "ERR unknown command 'AUTH'")
	err = classify(t.Context(), textError(`redis: can't parse "hidden"`))
	require.EqualError(t, err, "redis: can't parse the answer: it is not from Redis; use the address and port of a Redis server")
}

type textError string

func (e textError) Error() string { return string(e) }
