package redis

import (
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"tributary/shared/access"
	"tributary/shared/ledger"
	"tributary/shared/ledger/ledgertest"
	"tributary/shared/ledger/redis/redistest"
	"tributary/shared/wire"
)

// openWith does the same as open, for a client that retries up to retries times by itself.
func openWith(t *testing.T, url string, retries int, lim limits) *Ledger {
	t.Helper()
	opts, err := Config{URL: access.URL(url)}.options()
	require.NoError(t, err)
	opts.MaxRetries, opts.MinRetryBackoff, opts.MaxRetryBackoff = retries, time.Microsecond, time.Millisecond
	l := &Ledger{vectors: pool(*opts, 1), control: pool(*opts, 1), limits: lim}
	t.Cleanup(func() { require.NoError(t, l.Close()) })
	return l
}

// The proxy cuts every command of a life once: before it reaches the server, and after it
// took effect there. The commands before it in a pipeline have taken effect, those after it
// have not. If the client does not retry, then another process continues. If it does, no
// caller sees an error.
func TestEveryCommandIsCutOff(t *testing.T) {
	for size, lim := range sizes {
		if size == "small chunks" {
			continue // the same commands as for large chunks, except the questions
		}
		for _, after := range []bool{false, true} {
			for _, retries := range []int{-1, 2} {
				name := size + map[bool]string{false: ", before it took effect", true: ", after it took effect"}[after] +
					map[int]string{-1: ", not tried again", 2: ", tried again"}[retries]
				t.Run(name, func(t *testing.T) { everyCommandIsCutOff(t, after, retries, lim, wire.Format{}) })
				if after != (retries < 0) {
					continue
				}
				// The commands are the same with every lossy wire.
				t.Run(name+", int8", func(t *testing.T) {
					everyCommandIsCutOff(t, after, retries, lim, ledgertest.Formats["int8"])
				})
			}
		}
	}
}

func everyCommandIsCutOff(t *testing.T, after bool, retries int, lim limits, format wire.Format) {
	t.Parallel()
	s := redistest.Start(t)
	if s == nil {
		return
	}
	proxy := redistest.NewProxy(t, s)
	healthy, faulty := open(t, s.URL), openWith(t, proxy.URL, retries, lim)
	healthy.limits = lim
	ledgertest.Every(t, ledgertest.Faults{
		Healthy: healthy,
		Faulty: func(k int) (ledger.Ledger, func() int) {
			proxy.Cut(k, after)
			return faulty, proxy.Commands
		},
		Hidden: retries > 0,
		Wire:   format,
		Left: func(lay ledger.Layout) []string {
			var left []string
			for _, key := range allKeys(t, healthy) {
				if strings.Contains(key, "{"+lay.Ref.String()+":") {
					left = append(left, key)
				}
			}
			return left
		},
	})
}
