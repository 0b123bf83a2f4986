package redis

import (
	"context"
	"sync"
	"testing"

	goredis "github.com/redis/go-redis/v9"
	"github.com/stretchr/testify/require"

	"tributary/shared/access"
	"tributary/shared/ledger"
	"tributary/shared/ledger/ledgertest"
	"tributary/shared/ledger/redis/redistest"
)

// open opens the ledger at url for a test.
func open(t testing.TB, url string) *Ledger {
	t.Helper()
	l, err := Open(t.Context(), Config{URL: access.URL(url)})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, l.Close()) })
	return l
}

// sizes are limits with which the chunks of the tests, which are all tiny, count as tiny,
// small or large.
var sizes = map[string]limits{"tiny chunks": {tinyBytes, smallChunk}, "small chunks": {-1, smallChunk}, "large chunks": {-1, -1}}

// openLarge opens the ledger at url with limits with which all chunks count as large.
func openLarge(t testing.TB, url string) *Ledger {
	t.Helper()
	l := open(t, url)
	l.limits = sizes["large chunks"]
	return l
}

func TestConformance(t *testing.T) {
	for name, lim := range sizes {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			redistest.Each(t, func(t *testing.T, url string) {
				t.Parallel()
				l := open(t, url)
				l.limits = lim
				ledgertest.Run(t, func(*testing.T) ledger.Ledger { return l })
				requireTTLs(t, l)
			})
		})
	}
}

func TestConformanceOnCluster(t *testing.T) {
	t.Parallel()
	url := redistest.Cluster(t, 2)
	if url == "" {
		return
	}
	l := open(t, url)
	require.IsType(t, &goredis.ClusterClient{}, l.control, "a cluster is found out")
	for name, lim := range sizes {
		t.Run(name, func(t *testing.T) {
			l.limits = lim
			ledgertest.Run(t, func(*testing.T) ledger.Ledger { return l })
		})
	}
	requireTTLs(t, l)
}

// allKeys lists every key on every server.
func allKeys(t testing.TB, l *Ledger) []string {
	t.Helper()
	var (
		mu  sync.Mutex
		all []string
	)
	require.NoError(t, eachNode(t.Context(), l.control, func(ctx context.Context, node goredis.UniversalClient) error {
		keys, err := node.Keys(ctx, "*").Result()
		mu.Lock()
		defer mu.Unlock()
		all = append(all, keys...)
		return err
	}))
	return all
}

// requireTTLs checks that every key that is left expires.
func requireTTLs(t *testing.T, l *Ledger) {
	t.Helper()
	for _, key := range allKeys(t, l) {
		ttl, err := l.control.PTTL(t.Context(), key).Result()
		require.NoError(t, err)
		require.Positive(t, ttl, key)
		require.LessOrEqual(t, ttl, jobLife, key)
	}
}
