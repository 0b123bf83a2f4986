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

// Conn is a connection to NATS, and everything that uses it. It is safe for concurrent use.
// After the first connection, it reconnects for ever, until Close.
type Conn struct {
	nc  *nats.Conn
	js  jetstream.JetStream
	log zerolog.Logger
	// sparse drops log lines when there are many. It is for events that an outsider can
	// cause again and again.
	sparse zerolog.Logger
	cfg    Config
	// renewed is signalled when the bucket of records was created again.
	renewed signal
}

// ackTimeout is how long the client waits for the server's confirmation of a publish. Then
// it publishes again.
const ackTimeout = 2 * time.Second

// Connect connects to the server. Until ctx ends, it retries with back-off, and logs that
// once. It fails at once, with job.ErrInvalid, on a configuration that can never work: an
// address, a file, a certificate, or credentials that the server refuses. After the first
// connection it also retries when the server refuses the credentials, because the server
// may accept them later.
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
	return &Conn{nc: nc, js: js, log: log, sparse: burstLimited(log), cfg: cfg}, nil
}

// Fork opens another connection to the same servers; the caller closes it. It does not wait
// for a server that is away. Requests need a connection of their own: the server closes a
// connection when requests arrive faster than the client reads them. That must not
// interrupt tasks, leases and notices.
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

// burstLimited returns a logger that writes at most five lines in ten seconds.
func burstLimited(log zerolog.Logger) zerolog.Logger {
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

// connectedTo returns the server's address, without a user or a token.
func connectedTo(nc *nats.Conn) string { return access.URL(nc.ConnectedUrl()).String() }

// watch returns options that log the events of the connection.
func watch(log zerolog.Logger) []nats.Option {
	faults := burstLimited(log)
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

// Flush waits until the server has processed everything that was sent so far, for at most
// ten seconds. It reconnects meanwhile if necessary. Messages in flight may be lost when a
// connection breaks, as always in core NATS.
func (c *Conn) Flush(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	for {
		err := c.nc.FlushWithContext(ctx)
		if !errors.Is(err, nats.ErrConnectionClosed) || c.nc.IsClosed() {
			return wrap("flush", err)
		}
		// The client library reports a lost connection as closed, too.
		if err := pause(ctx, 10*time.Millisecond); err != nil {
			return wrap("flush", err)
		}
	}
}

// Close sends the messages that are not sent yet, for at most a second, and disconnects.
func (c *Conn) Close() {
	if c.nc.IsConnected() {
		_ = c.nc.FlushTimeout(time.Second) // best effort: the connection is closed in any case
	}
	c.nc.Close()
}
