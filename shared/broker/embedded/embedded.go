// Package embedded runs a NATS server with JetStream inside this process, for
// `train` without servers and for tests.
//
// It owns the server's options and its end. Clients connect through
// broker.Config.InProcess, or over the network when it listens.
//
// Invariant: after Close no goroutine, port or temporary file is left.
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

// Config sets a server up; the zero value is private to the process and keeps nothing.
type Config struct {
	// Dir keeps what JetStream stores; "" stores in a temporary folder that
	// Close removes.
	Dir string
	// Host and Port to listen at; Host "" means no network at all, Port 0
	// then has no meaning. Port -1 picks a free one.
	Host string
	Port int
	// SyncAlways: a confirmed write is on the disk. Otherwise the disk may be
	// up to two minutes behind, which matters only when the machine dies.
	SyncAlways bool
	// Memory and Store limit JetStream, in bytes; default 1 GiB and 64 GiB.
	Memory, Store int64
	// MaxPayload limits one message, in bytes; default 8 MiB.
	MaxPayload int32
	// NoJetStream leaves JetStream off.
	NoJetStream bool
	Log         zerolog.Logger
}

// Server is a running server.
type Server struct {
	s       *server.Server
	scratch string // temporary folder to remove, or ""
}

// startTimeout bounds the start, recovery of stored streams included.
const startTimeout = 30 * time.Second

// Start runs a server until Close.
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

// ready waits until the server takes connections, or has given up.
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

// URL is where the server listens, "" when it does not.
func (s *Server) URL() string {
	if s.s.Addr() == nil {
		return ""
	}
	return s.s.ClientURL()
}

// Close stops the server and waits until it is gone.
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
