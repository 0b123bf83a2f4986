package broker

import (
	"net"
	"sync/atomic"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/rs/zerolog"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"tributary/shared/broker/embedded"
)

// TestMain ignores one goroutine leak of the client library (nats.go v1.55.0).
// ObjectStore.Put creates a publisher of its own and sets its connStatusCh to nil when it
// returns. If resetPendingAcksOnReconnect runs only then, it waits on that nil channel for
// ever. A leaked connection of our own would still be found, by its other goroutines.
func TestMain(m *testing.M) {
	goleak.VerifyTestMain(m,
		goleak.IgnoreTopFunction("github.com/nats-io/nats.go/jetstream.(*jetStream).resetPendingAcksOnReconnect"))
}

// embeddedDefault is the configuration of a server with all defaults.
var embeddedDefault embedded.Config

// patience bounds every wait of a test. Before a cluster has a leader, it may vote more
// than once, for nine seconds each time.
const patience = 2 * time.Minute

// server is an embedded server that a test can stop and start again while clients use it.
type server struct {
	t   *testing.T
	cfg embedded.Config
	now atomic.Pointer[embedded.Server]
}

func startServer(t *testing.T, cfg embedded.Config) *server {
	t.Helper()
	if cfg.Dir == "" {
		cfg.Dir = t.TempDir()
	}
	cfg.Log = zerolog.Nop()
	s := &server{t: t, cfg: cfg}
	s.start()
	t.Cleanup(s.stop)
	return s
}

func (s *server) start() {
	s.t.Helper()
	e, err := embedded.Start(s.cfg)
	require.NoError(s.t, err)
	s.now.Store(e)
}

func (s *server) stop() {
	if e := s.now.Swap(nil); e != nil {
		if err := e.Close(); err != nil {
			s.t.Errorf("close the server: %v", err)
		}
	}
}

func (s *server) restart() { s.stop(); s.start() }

// InProcessConn implements broker.InProcess. The clients' connections survive a restart of
// the server.
func (s *server) InProcessConn() (net.Conn, error) {
	if e := s.now.Load(); e != nil {
		return e.InProcessConn()
	}
	return nil, nats.ErrNoServers
}

func (s *server) connect(t *testing.T) *Conn {
	t.Helper()
	c, err := Connect(t.Context(), Config{Name: t.Name(), InProcess: s}, zerolog.Nop())
	require.NoError(t, err)
	t.Cleanup(c.Close)
	return c
}

// open starts a server, connects to it and runs Setup.
func open(t *testing.T, cfg SetupConfig) (*server, *Conn) {
	t.Helper()
	s := startServer(t, embedded.Config{})
	c := s.connect(t)
	require.NoError(t, c.Setup(t.Context(), cfg))
	return s, c
}

// flush waits until the server knows all subscriptions of c.
func flush(t *testing.T, c *Conn) {
	t.Helper()
	require.NoError(t, c.nc.FlushTimeout(patience))
}

// receive returns the next value of a channel, and fails the test when none comes.
func receive[T any](t *testing.T, from <-chan T) T {
	t.Helper()
	select {
	case v, ok := <-from:
		require.True(t, ok, "closed without a value")
		return v
	case <-time.After(patience):
		require.Fail(t, "nothing came")
		panic("unreachable")
	}
}
