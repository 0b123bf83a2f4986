// Package embeddedtest runs an embedded NATS server that a test can stop and start again
// while clients use it.
//
// It owns the server and its folder, which end with the test. What the server stores it
// leaves to the caller. Only tests call it: those of package broker and of
// coordinator/train.
//
// Invariant: clients keep their connection objects over a restart; they reconnect through
// the Server.
package embeddedtest

import (
	"net"
	"sync/atomic"
	"testing"

	"github.com/nats-io/nats.go"
	"github.com/rs/zerolog"
	"github.com/stretchr/testify/require"

	"tributary/shared/broker/embedded"
)

// Server is one embedded server after another, with the same Config. Only one goroutine at
// a time may call Start, Stop and Restart.
type Server struct {
	Config embedded.Config // of the next Start

	t   *testing.T
	now atomic.Pointer[embedded.Server] // nil: stopped
}

// New returns a server that is not started. If cfg has no folder, it gets one of the
// test's. The server logs nothing. It stops when the test ends.
func New(t *testing.T, cfg embedded.Config) *Server {
	t.Helper()
	if cfg.Dir == "" {
		cfg.Dir = t.TempDir()
	}
	cfg.Log = zerolog.Nop()
	s := &Server{t: t, Config: cfg}
	t.Cleanup(s.Stop)
	return s
}

// Start starts the server, which must be stopped.
func (s *Server) Start() {
	s.t.Helper()
	e, err := embedded.Start(s.Config)
	require.NoError(s.t, err)
	s.now.Store(e)
}

// Stop stops the server. It does nothing if the server is stopped already.
func (s *Server) Stop() {
	if e := s.now.Swap(nil); e != nil {
		if err := e.Close(); err != nil {
			s.t.Errorf("close the server: %v", err)
		}
	}
}

// Restart stops the server and starts it again with what it has stored.
func (s *Server) Restart() {
	s.Stop()
	s.Start()
}

// InProcessConn implements broker.InProcess. It fails with nats.ErrNoServers while the
// server is stopped.
func (s *Server) InProcessConn() (net.Conn, error) {
	if e := s.now.Load(); e != nil {
		return e.InProcessConn()
	}
	return nil, nats.ErrNoServers
}
