package embedded_test

import (
	"net"
	"net/url"
	"os"
	"path/filepath"
	"testing"

	"github.com/rs/zerolog"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"tributary/shared/access"
	"tributary/shared/broker"
	"tributary/shared/broker/embedded"
)

// TestMain ignores one goroutine leak of the client library; see TestMain of package
// broker.
func TestMain(m *testing.M) {
	goleak.VerifyTestMain(m,
		goleak.IgnoreTopFunction("github.com/nats-io/nats.go/jetstream.(*jetStream).resetPendingAcksOnReconnect"))
}

func TestNothingIsLeftBehind(t *testing.T) {
	t.Setenv("TMPDIR", t.TempDir())
	s, err := embedded.Start(embedded.Config{Log: zerolog.Nop()})
	require.NoError(t, err)
	require.Empty(t, s.URL(), "it listens nowhere")
	made, err := filepath.Glob(filepath.Join(os.TempDir(), "tributary-nats-*"))
	require.NoError(t, err)
	require.Len(t, made, 1)
	require.NoError(t, s.Close())
	require.NoDirExists(t, made[0])
}

func TestListensIfConfigured(t *testing.T) {
	s, err := embedded.Start(embedded.Config{Dir: t.TempDir(), Host: "127.0.0.1", Port: -1, SyncAlways: true, Log: zerolog.Nop()})
	require.NoError(t, err)
	c, err := broker.Connect(t.Context(), broker.Config{URL: access.URL(s.URL())}, zerolog.Nop())
	require.NoError(t, err)
	require.NoError(t, c.Setup(t.Context(), broker.SetupConfig{}))
	c.Close()
	u, err := url.Parse(s.URL())
	require.NoError(t, err)
	require.NoError(t, s.Close())
	_, err = net.Dial("tcp", u.Host)
	require.Error(t, err, "the port is free again")
}

func TestItKeepsWhatIsInItsFolder(t *testing.T) {
	dir := t.TempDir()
	for i := range 2 {
		s, err := embedded.Start(embedded.Config{Dir: dir, Log: zerolog.Nop()})
		require.NoError(t, err)
		c, err := broker.Connect(t.Context(), broker.Config{InProcess: s}, zerolog.Nop())
		require.NoError(t, err)
		require.NoError(t, c.Setup(t.Context(), broker.SetupConfig{}))
		digest, err := c.Blobs().Put(t.Context(), []byte("kept"))
		require.NoError(t, err)
		has, err := c.Blobs().Has(t.Context(), digest)
		require.NoError(t, err)
		require.True(t, has, "start %d", i)
		c.Close()
		require.NoError(t, s.Close())
	}
}

func TestStartFails(t *testing.T) {
	file := filepath.Join(t.TempDir(), "file")
	require.NoError(t, os.WriteFile(file, nil, 0o600))
	_, err := embedded.Start(embedded.Config{Dir: file, Log: zerolog.Nop()})
	require.ErrorContains(t, err, "start the embedded NATS server")
}
