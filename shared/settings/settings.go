// Package settings holds the flags and environment variables that both programs have, and
// opens the stores that they name.
//
// It owns names, units, defaults and bounds, as --help shows them. What a setting means
// to a package belongs to that package's Config. The commands of both programs embed
// these structs for kong.
//
// Invariant: a setting that can never work is refused before anything starts.
package settings

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"github.com/rs/zerolog"
	"golang.org/x/term"

	"tributary/shared/access"
	"tributary/shared/blob"
	"tributary/shared/blob/s3"
	"tributary/shared/broker"
	"tributary/shared/job"
	ledgerredis "tributary/shared/ledger/redis"
	"tributary/shared/telemetry"
)

// Log holds the settings of the log, which goes to standard error.
type Log struct {
	Level  string `name:"log-level" env:"TRIBUTARY_LOG_LEVEL" default:"info" enum:"trace,debug,info,warn,error,disabled" help:"Lowest severity that the program logs: trace, debug, info, warn, error or disabled."`
	Format string `name:"log-format" env:"TRIBUTARY_LOG_FORMAT" default:"auto" enum:"auto,pretty,json" help:"auto is pretty on a terminal and json otherwise."`
}

// Logger returns the program's logger, on standard error.
func (l Log) Logger(program string) (zerolog.Logger, error) {
	return l.LoggerTo(os.Stderr, term.IsTerminal(int(os.Stderr.Fd())), program)
}

// LoggerTo returns a logger that writes to w.
func (l Log) LoggerTo(w io.Writer, tty bool, program string) (zerolog.Logger, error) {
	return telemetry.NewLogger(w, tty, telemetry.LogConfig{Level: l.Level, Format: l.Format, Program: program})
}

// NewID returns a name for a process: the host's name and a random suffix.
func NewID() string {
	host, err := os.Hostname()
	if err != nil {
		host = "unknown"
	}
	return host + "-" + strings.ToLower(rand.Text()[:8])
}

// Redis says how to reach the ledger's Redis server.
type Redis struct {
	URL        access.URL `name:"redis" env:"REDIS_URL" placeholder:"URL" default:"redis://127.0.0.1:6379/0" help:"Redis or Valkey server, as redis://host:port/db, rediss:// with TLS, or unix:///path; default: redis://127.0.0.1:6379/0. It must not evict keys."`
	RedisLogin `embed:""`
}

// RedisLogin holds the program's credentials for Redis and the certificates that it
// trusts. Every field is optional.
type RedisLogin struct {
	Username string      `name:"redis-user" env:"REDIS_USERNAME" help:"Redis user name, instead of the URL's."`
	Password access.Text `name:"redis-password" env:"REDIS_PASSWORD" help:"Redis password, instead of the URL's."`
	CA       access.File `name:"redis-ca" env:"REDIS_CA" placeholder:"FILE" help:"PEM file of the authorities that may sign the server's certificate."`
	Cert     access.File `name:"redis-cert" env:"REDIS_CERT" placeholder:"FILE" help:"PEM file of the client's certificate; requires --redis-key."`
	Key      access.File `name:"redis-key" env:"REDIS_KEY" placeholder:"FILE" help:"PEM file of the client certificate's key."`
	Insecure bool        `name:"redis-insecure" env:"REDIS_INSECURE" help:"Do not verify the server's certificate; for trials only."`
}

// Stores says where the stores are that both programs share.
type Stores struct {
	NATS  broker.Config  `embed:""`
	Redis Redis          `embed:""`
	Blobs access.Address `name:"blobs" env:"TRIBUTARY_BLOBS" default:"nats" help:"Where dataset blocks, plans and checkpoints live: nats (an object bucket), dir:PATH (a folder that every process shares) or s3://BUCKET[/PREFIX][?endpoint=URL&region=REGION] (credentials as for the aws command: AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY)."`
}

// lastEvents is how long a stopping program waits for its events to be sent.
const lastEvents = 2 * time.Second

// Opened holds the connections to all stores.
type Opened struct {
	Conn   *broker.Conn
	Ledger *ledgerredis.Ledger
	Blobs  blob.Store
}

// Config returns the ledger's configuration. The ledger reports to log why a start has to
// wait.
func (r Redis) Config(log zerolog.Logger) ledgerredis.Config {
	return ledgerredis.Config{
		URL: r.URL, Username: r.Username, Password: r.Password, Log: log,
		TLS: access.TLS{CA: r.CA, Cert: r.Cert, Key: r.Key, Insecure: r.Insecure},
	}
}

// Check reports, as job.ErrInvalid, every setting that can never work. It connects to
// nothing.
func (s Stores) Check() error {
	return errors.Join(s.NATS.Check(), s.Redis.Config(zerolog.Nop()).Check(), s.checkBlobs())
}

func (s Stores) checkBlobs() error {
	if path, ok := strings.CutPrefix(s.Blobs.Reveal(), "dir:"); s.Blobs == "nats" || ok && path != "" {
		return nil
	}
	if strings.HasPrefix(s.Blobs.Reveal(), "s3:") {
		_, err := s3.Open(s.Blobs.Reveal())
		return err
	}
	return fmt.Errorf("blobs: %.200q: want nats, dir:PATH or %s: %w", s.Blobs.String(), s3.Form, job.ErrInvalid)
}

// Open connects to all stores. It waits for servers that are not up yet.
func (s Stores) Open(ctx context.Context, name string, log zerolog.Logger) (*Opened, error) {
	if err := s.Check(); err != nil {
		return nil, err
	}
	s.NATS.Name = name
	conn, err := broker.Connect(ctx, s.NATS, log)
	if err != nil {
		return nil, err
	}
	o := &Opened{Conn: conn}
	if err := s.open(ctx, o, log); err != nil {
		o.Close()
		return nil, err
	}
	return o, nil
}

func (s Stores) open(ctx context.Context, o *Opened, log zerolog.Logger) error {
	if err := o.Conn.Setup(ctx, broker.SetupConfig{}); err != nil {
		return err
	}
	var err error
	if o.Blobs, err = s.blobs(ctx, o.Conn); err != nil {
		return err
	}
	o.Ledger, err = ledgerredis.Open(ctx, s.Redis.Config(log))
	return err
}

// OpenBlobs opens only the blob store at an address, beside a connection to NATS.
func OpenBlobs(ctx context.Context, address access.Address, conn *broker.Conn) (blob.Store, error) {
	s := Stores{Blobs: address}
	if err := s.checkBlobs(); err != nil {
		return nil, err
	}
	return s.blobs(ctx, conn)
}

// blobs opens the blob store. checkBlobs has already accepted its address.
func (s Stores) blobs(ctx context.Context, conn *broker.Conn) (blob.Store, error) {
	if path, ok := strings.CutPrefix(s.Blobs.Reveal(), "dir:"); ok {
		return blob.NewDirectory(path)
	}
	if s.Blobs != "nats" {
		return s.bucket(ctx)
	}
	return conn.Blobs(), nil
}

// bucketPatience is the timeout of the first request to a bucket.
const bucketPatience = 15 * time.Second

// bucket opens a bucket and checks that it exists. So a wrong address or wrong
// credentials are reported at the start, not by the first job.
func (s Stores) bucket(ctx context.Context) (blob.Store, error) {
	store, err := s3.Open(s.Blobs.Reveal())
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(ctx, bucketPatience)
	defer cancel()
	return store, store.Check(ctx)
}

// lease is how long a worker may take for one micro-batch before the queue delivers its
// task to another worker as well. A worker can renew the lease after each micro-batch.
// The lease is long because nothing waits for its end: the coordinator publishes a dead
// worker's tasks again as soon as the step is slow.
const lease = 15 * time.Second

// Queue returns the task queue for a worker.
func (o *Opened) Queue() *broker.Queue {
	return o.Conn.Queue(broker.QueueConfig{Lease: lease})
}

// CoordinatorQueue returns the task queue for a coordinator, which creates the stream
// again when the server has lost it.
func (o *Opened) CoordinatorQueue() *broker.Queue {
	return o.Conn.Queue(broker.QueueConfig{Lease: lease, Recreate: &broker.SetupConfig{}})
}

// CloseEvents waits at most lastEvents until the last events are sent.
func CloseEvents(e *broker.Events, log zerolog.Logger) {
	ctx, cancel := context.WithTimeout(context.Background(), lastEvents)
	defer cancel()
	if err := e.Close(ctx); err != nil {
		log.Warn().Err(err).Msg("send the last events")
	}
}

// Close closes all connections.
func (o *Opened) Close() {
	if o.Ledger != nil {
		_ = o.Ledger.Close() // nothing is written after this
	}
	o.Conn.Close()
}
