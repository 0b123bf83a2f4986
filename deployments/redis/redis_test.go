// Package redis holds the settings of the Redis server, and their test.
package redis

import (
	"os"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// TestSettings checks the directives that the programs rely on. The compose test shows
// that a server accepts the file.
func TestSettings(t *testing.T) {
	text, err := os.ReadFile("redis.conf")
	require.NoError(t, err)
	got := map[string]string{}
	for line := range strings.Lines(string(text)) {
		key, value, _ := strings.Cut(strings.TrimSpace(line), " ")
		if key == "" || strings.HasPrefix(key, "#") {
			continue
		}
		require.NotContains(t, got, key, "given twice")
		got[key] = value
	}
	require.Equal(t, "noeviction", got["maxmemory-policy"])
	require.Equal(t, "1gb", got["maxmemory"])
	require.Equal(t, "yes", got["appendonly"])
	require.Equal(t, "everysec", got["appendfsync"])
}
