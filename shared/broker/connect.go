package broker

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"github.com/rs/zerolog"

	"tributary/shared/access"
)

// Conn is a connection to NATS and everything that goes over it. It is safe
// for concurrent use. Once made it reconnects for ever, until Close.
type Conn struct {
	nc  *nats.Conn
	js  jetstream.JetStream
	log zerolog.Logger
	// sparse drops lines over a few: for what a stranger can cause again and again.
	sparse zerolog.Logger
	cfg    Config
	// renewed is announced when the bucket of records was made again.
	renewed signal
}

// ackTimeout is how long the server may take to confirm a publish before it
// is published again.
const ackTimeout = 2 * time.Second

// Connect reaches the server, however long that takes: it tries again with
// back-off, having said so once, until ctx ends. It gives up at once, with
// job.ErrInvalid, on a configuration that can never work: an address, a file, a
// certificate, or credentials that the server refuses. Once connected it tries refused
// credentials again, because the server may be given them at any time.
func Connect(ctx context.Context, cfg Config, log zerolog.Logger) (*Conn, error) {
	if cfg.URL == "" {
		cfg.URL = DefaultURL
	}
	opts, err := cfg.options()
	if err != nil {
		return nil, err
	}
	opts = append(opts, watch(log)...)
	nc, err := dial(ctx, cfg, opts, log)
	if err != nil {
		return nil, err
	}
	return newConn(nc, cfg, log)
}

func newConn(nc *nats.Conn, cfg Config, log zerolog.Logger) (*Conn, error) {
	js, err := jetstream.New(nc, jetstream.WithPublishAsyncTimeout(ackTimeout))
	if err != nil {
		nc.Close()
		return nil, fmt.Errorf("connect to NATS: %w", err)
	}
	return &Conn{nc: nc, js: js, log: log, sparse: sparse(log), cfg: cfg}, nil
}

// Fork opens another connection to the same servers, which its caller closes. It
// does not wait for a server that is away. Requests have a connection of their own:
// the server cuts off a connection that requests arrive on faster than it is read,
// and tasks, leases and notices must not be cut off with them.
func (c *Conn) Fork(use string) (*Conn, error) {
	cfg := c.cfg
	cfg.Name += " " + use
	opts, err := cfg.options()
	if err != nil {
		return nil, err
	}
	opts = append(append(opts, watch(c.log)...), nats.RetryOnFailedConnect(true))
	nc, err := nats.Connect(cfg.URL.Reveal(), opts...)
	if err != nil {
		return nil, wrap("connect to NATS for "+use, err)
	}
	return newConn(nc, cfg, c.log)
}

// sparse returns a logger that writes at most five lines in ten seconds.
func sparse(log zerolog.Logger) zerolog.Logger {
	return log.Sample(&zerolog.BurstSampler{Burst: 5, Period: 10 * time.Second})
}

func dial(ctx context.Context, cfg Config, opts []nats.Option, log zerolog.Logger) (*nats.Conn, error) {
	where := cfg.URL.String()
	if cfg.InProcess != nil {
		where = "the embedded server"
	}
	nc, err := await(ctx, func() (*nats.Conn, error) { return nats.Connect(cfg.URL.Reveal(), opts...) }, transient, func(err error) {
		log.Warn().Err(err).Str("nats", where).Msg("NATS cannot be reached; trying again until it can")
	})
	if err != nil {
		return nil, fmt.Errorf("connect to NATS at %s: %w", where, withRemedy(err))
	}
	log.Info().Str("nats", connectedTo(nc)).Str("server", nc.ConnectedServerVersion()).Msg("connected to NATS")
	return nc, nil
}

// connectedTo is the server's address, without a user or a token.
func connectedTo(nc *nats.Conn) string { return access.URL(nc.ConnectedUrl()).String() }

// watch logs what happens to the connection.
func watch(log zerolog.Logger) []nats.Option {
	faults := sparse(log)
	return []nats.Option{
		nats.DisconnectErrHandler(func(nc *nats.Conn, err error) {
			if !nc.IsClosed() {
				log.Warn().AnErr("cause", err).Msg("lost the connection to NATS; reconnecting")
			}
		}),
		nats.ReconnectHandler(func(nc *nats.Conn) {
			log.Info().Str("nats", connectedTo(nc)).Msg("connected to NATS again")
		}),
		nats.ErrorHandler(func(_ *nats.Conn, sub *nats.Subscription, err error) {
			e := faults.Warn().Err(err)
			if sub != nil {
				e = e.Str("subject", sub.Subject)
			}
			e.Msg("NATS reports an error")
		}),
	}
}

// Connected reports whether the server can be reached right now.
func (c *Conn) Connected() bool { return c.nc.IsConnected() }

// Flush waits until the server has processed everything sent so far, for ten
// seconds at most, reconnecting meanwhile when it must. What was under way
// when a connection broke may be lost, as anything sent by core NATS may be.
func (c *Conn) Flush(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	for {
		err := c.nc.FlushWithContext(ctx)
		if !errors.Is(err, nats.ErrConnectionClosed) || c.nc.IsClosed() {
			return wrap("flush", err)
		}
		// The client says "closed" of a connection that it has lost, too.
		if err := pause(ctx, 10*time.Millisecond); err != nil {
			return wrap("flush", err)
		}
	}
}

// Close sends what is still unsent, for a second at most, and disconnects.
func (c *Conn) Close() {
	if c.nc.IsConnected() {
		_ = c.nc.FlushTimeout(time.Second) // best effort: the connection goes away whatever it says
	}
	c.nc.Close()
}
