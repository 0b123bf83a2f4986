// Package embedded runs a NATS server with JetStream inside this process, for `train`
// without servers and for tests.
//
// It owns the server's options and its shutdown. Clients connect through
// broker.Config.InProcess, or over the network if the server listens there.
//
// Invariant: after Close, no goroutine, port or temporary file is left.
package embedded

import (
	"errors"
	"fmt"
	"net"
	"os"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/rs/zerolog"
)

// Config configures a server. The zero value is a server that only this process can reach,
// and that keeps nothing after Close.
type Config struct {
	// Dir is the folder for JetStream's data; "" means a temporary folder that Close
	// removes.
	Dir string
	// Host and Port are the address on which the server listens. Host "" means no network
	// at all; then Port is ignored. Port -1 chooses a free port.
	Host string
	Port int
	// SyncAlways: a write is on the disk when it is confirmed. Otherwise it may reach the
	// disk up to two minutes later, which matters only when the machine crashes.
	SyncAlways bool
	// Memory and Store limit JetStream's memory and files, in bytes; default 1 GiB and 64
	// GiB.
	Memory, Store int64
	// MaxPayload limits one message, in bytes; default 8 MiB.
	MaxPayload int32
	// NoJetStream runs the server without JetStream.
	NoJetStream bool
	Log         zerolog.Logger
}

// Server is a running server.
type Server struct {
	s       *server.Server
	scratch string // temporary folder to remove, or ""
}

// startTimeout bounds the start, including the recovery of stored streams.
const startTimeout = 30 * time.Second

// Start starts a server, which runs until Close.
func Start(cfg Config) (*Server, error) {
	srv := &Server{}
	if cfg.Dir == "" && !cfg.NoJetStream {
		dir, err := os.MkdirTemp("", "tributary-nats-")
		if err != nil {
			return nil, fmt.Errorf("start the embedded NATS server: %w", err)
		}
		cfg.Dir, srv.scratch = dir, dir
	}
	s, err := server.NewServer(cfg.options())
	if err != nil {
		return nil, errors.Join(fmt.Errorf("start the embedded NATS server: %w", err), srv.clean())
	}
	srv.s = s
	fatal := make(chan string, 1)
	s.SetLoggerV2(logger{cfg.Log, fatal}, false, false, false)
	s.Start()
	if err := ready(s, fatal); err != nil {
		return nil, errors.Join(fmt.Errorf("start the embedded NATS server: %w", err), srv.Close())
	}
	return srv, nil
}

// ready waits until the server accepts connections, or until its start has failed.
func ready(s *server.Server, fatal <-chan string) error {
	for deadline := time.Now().Add(startTimeout); time.Now().Before(deadline); {
		if s.ReadyForConnections(100 * time.Millisecond) {
			return nil
		}
		select {
		case why := <-fatal:
			return errors.New(why)
		default:
		}
	}
	return fmt.Errorf("not ready after %s", startTimeout)
}

func (c *Config) options() *server.Options {
	o := &server.Options{
		ServerName:         "tributary-embedded",
		DontListen:         c.Host == "",
		Host:               c.Host,
		Port:               c.Port,
		JetStream:          !c.NoJetStream,
		StoreDir:           c.Dir,
		SyncAlways:         c.SyncAlways,
		JetStreamMaxMemory: or(c.Memory, 1<<30),
		JetStreamMaxStore:  or(c.Store, 64<<30),
		MaxPayload:         or(c.MaxPayload, 8<<20),
		MaxPending:         64 << 20,
		NoSigs:             true,
	}
	return o
}

func or[N int32 | int64](n, fallback N) N {
	if n > 0 {
		return n
	}
	return fallback
}

// InProcessConn implements broker.InProcess.
func (s *Server) InProcessConn() (net.Conn, error) { return s.s.InProcessConn() }

// URL returns the address on which the server listens, "" when it does not listen.
func (s *Server) URL() string {
	if s.s.Addr() == nil {
		return ""
	}
	return s.s.ClientURL()
}

// Close stops the server and waits until it has ended.
func (s *Server) Close() error {
	s.s.Shutdown()
	s.s.WaitForShutdown()
	return s.clean()
}

func (s *Server) clean() error {
	if s.scratch == "" {
		return nil
	}
	return os.RemoveAll(s.scratch)
}
