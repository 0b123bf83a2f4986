package broker

import (
	"fmt"
	"net"
	"net/url"
	"strings"
	"testing"
	"time"

	natsserver "github.com/nats-io/nats-server/v2/server"
	"github.com/rs/zerolog"
	"github.com/stretchr/testify/require"

	"tributary/shared/access"
	"tributary/shared/job"
)

// cluster is the servers of one cluster. A test starts each of them.
type cluster struct {
	t      *testing.T
	routes []*url.URL
	held   []net.Listener // holds the port of each server until the server starts
	dirs   []string
}

// newCluster reserves a port for the routes of each of n servers.
func newCluster(t *testing.T, n int) *cluster {
	t.Helper()
	c := &cluster{t: t}
	for range n {
		l, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
		require.NoError(t, err)
		t.Cleanup(func() { _ = l.Close() })
		c.held = append(c.held, l)
		c.routes = append(c.routes, &url.URL{Scheme: "nats", Host: l.Addr().String()})
		c.dirs = append(c.dirs, t.TempDir())
	}
	return c
}

// start starts server i. It does not wait for the other servers.
func (c *cluster) start(i int) *natsserver.Server {
	c.t.Helper()
	route, err := net.ResolveTCPAddr("tcp", c.routes[i].Host)
	require.NoError(c.t, err)
	_ = c.held[i].Close() // an error is fine: a restarted server has closed it before
	return startWith(c.t, natsserver.Options{
		ServerName: fmt.Sprintf("s%d", i), StoreDir: c.dirs[i], Routes: c.routes,
		Cluster: natsserver.ClusterOpts{Name: "test", Host: "127.0.0.1", Port: route.Port},
	})
}

// startWith starts a server with options that embedded.Config does not have.
func startWith(t *testing.T, o natsserver.Options) *natsserver.Server {
	t.Helper()
	o.Host, o.Port, o.NoSigs, o.NoLog = "127.0.0.1", -1, true, true
	o.JetStream, o.JetStreamMaxMemory, o.JetStreamMaxStore = true, 1<<30, 64<<30
	s, err := natsserver.NewServer(&o)
	require.NoError(t, err)
	s.Start()
	t.Cleanup(func() { s.Shutdown(); s.WaitForShutdown() })
	require.True(t, s.ReadyForConnections(patience))
	return s
}

// One server of three has no leader and cannot create a stream, until a second one starts.
func TestSetupWaitsForALeader(t *testing.T) {
	t.Parallel()
	servers := newCluster(t, 3)
	first := servers.start(0)
	log := newLines()
	c, err := Connect(t.Context(), Config{URL: access.URL(first.ClientURL())}, zerolog.New(log).Level(zerolog.WarnLevel))
	require.NoError(t, err)
	t.Cleanup(c.Close)

	done := make(chan error, 1)
	go func() { done <- c.Setup(t.Context(), SetupConfig{Replicas: 3}) }()
	select {
	case <-log.wrote:
	case err := <-done:
		require.Fail(t, "it does not wait", "%v", err)
	case <-time.After(patience):
		require.Fail(t, "it does not say that it waits")
	}
	require.Contains(t, log.String(), "JetStream is not ready; trying again until it is")
	for i := 1; i < 3; i++ {
		servers.start(i)
	}
	require.NoError(t, receive(t, done))
	require.Equal(t, 1, strings.Count(log.String(), "not ready"), "it is said once")
	stream, err := c.js.Stream(t.Context(), TaskStream)
	require.NoError(t, err)
	require.Equal(t, 3, stream.CachedInfo().Config.Replicas)
}

// JetStream does not answer a request that the user may not make, either. But Setup must
// not wait then.
func TestSetupRefusesMissingPermissions(t *testing.T) {
	t.Parallel()
	s := startWith(t, natsserver.Options{StoreDir: t.TempDir(), Users: []*natsserver.User{{
		Username: "worker", Permissions: &natsserver.Permissions{Publish: &natsserver.SubjectPermission{Deny: []string{"$JS.API.STREAM.CREATE.>"}}},
	}}})
	c, err := Connect(t.Context(), Config{URL: access.URL(s.ClientURL()), Login: Login{User: "worker"}}, zerolog.Nop())
	require.NoError(t, err)
	t.Cleanup(c.Close)
	err = c.Setup(t.Context(), SetupConfig{})
	require.ErrorIs(t, err, job.ErrInvalid)
	require.ErrorContains(t, err, `Permissions Violation for Publish to "$JS.API.STREAM.CREATE.`)
}
