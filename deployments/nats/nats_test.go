// Package nats holds the settings of the NATS server, and their test.
package nats

import (
	"testing"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/stretchr/testify/require"
)

// TestSettings reads nats.conf as the server does, and checks the settings that the
// programs rely on.
func TestSettings(t *testing.T) {
	o, err := server.ProcessConfigFile("nats.conf")
	require.NoError(t, err)
	require.True(t, o.JetStream)
	require.True(t, o.SyncAlways, "an acknowledged submission must be on disk")
	require.Equal(t, int64(256<<20), o.JetStreamMaxMemory)
	require.Equal(t, int64(8<<30), o.JetStreamMaxStore)
	require.Equal(t, int32(4<<20), o.MaxPayload)
	require.Equal(t, 10*time.Second, o.WriteDeadline)
	require.Equal(t, 4222, o.Port)
	require.Equal(t, 8222, o.HTTPPort)
}
