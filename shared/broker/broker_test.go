package broker

import (
	"flag"
	"testing"
	"time"

	"github.com/rs/zerolog"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"tributary/shared/broker/embedded"
	"tributary/shared/broker/embedded/embeddedtest"
)

// TestMain ignores one goroutine leak of the client library (nats.go v1.55.0).
// ObjectStore.Put creates a publisher of its own and sets its connStatusCh to nil when it
// returns. If resetPendingAcksOnReconnect runs only then, it waits on that nil channel for
// ever. A leaked connection of our own would still be found, by its other goroutines.
func TestMain(m *testing.M) {
	waiting()
	goleak.VerifyTestMain(m,
		goleak.IgnoreTopFunction("github.com/nats-io/nats.go/jetstream.(*jetStream).resetPendingAcksOnReconnect"))
}

// waiting runs more tests at a time than there are CPUs, because most of them wait.
func waiting() {
	if err := flag.Set("test.parallel", "8"); err != nil {
		panic(err)
	}
}

// embeddedDefault is the configuration of a server with all defaults.
var embeddedDefault embedded.Config

// patience bounds every wait of a test. Before a cluster has a leader, it may vote more
// than once, for nine seconds each time.
const patience = 2 * time.Minute

// server is an embedded server that a test can stop and start again while clients use it.
type server struct{ *embeddedtest.Server }

func startServer(t *testing.T, cfg embedded.Config) *server {
	t.Helper()
	s := &server{embeddedtest.New(t, cfg)}
	s.Start()
	return s
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
