package broker

import (
	"crypto/tls"
	"fmt"
	"net"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nkeys"

	"tributary/shared/access"
	"tributary/shared/job"
)

// DefaultURL is the address of the server when the user gives none.
const DefaultURL = nats.DefaultURL

// Config says how to connect to NATS, and as which client.
type Config struct {
	URL   access.URL `name:"nats" env:"NATS_URL" placeholder:"URL" help:"NATS servers, comma-separated, as nats://host:4222 or tls://host:4222; default: nats://127.0.0.1:4222."`
	Login `embed:""`

	// Name is the client's name in the server's list of connections.
	Name string `kong:"-"`
	// InProcess connects to an embedded server, without a network. Then URL is not used.
	InProcess InProcess `kong:"-"`
}

// Login is the client's credentials for NATS. Every credential is optional.
type Login struct {
	Credentials access.File `name:"nats-creds" env:"NATS_CREDS" placeholder:"FILE" help:"NATS credentials file (JWT and NKey seed)."`
	NKey        access.File `name:"nats-nkey" env:"NATS_NKEY" placeholder:"FILE" help:"File with an NKey seed, instead of credentials."`
	User        string      `name:"nats-user" env:"NATS_USER" help:"NATS user name."`
	Password    access.Text `name:"nats-password" env:"NATS_PASSWORD" help:"NATS password."`
	Token       access.Text `name:"nats-token" env:"NATS_TOKEN" help:"NATS token, instead of user and password."`
	TLSCA       access.File `name:"nats-ca" env:"NATS_CA" placeholder:"FILE" help:"PEM file of the authorities that may sign the server's certificate; turns TLS on."`
	TLSCert     access.File `name:"nats-cert" env:"NATS_CERT" placeholder:"FILE" help:"PEM file of the client's certificate; requires --nats-key."`
	TLSKey      access.File `name:"nats-key" env:"NATS_KEY" placeholder:"FILE" help:"PEM file of the client certificate's key."`
	InboxPrefix string      `name:"nats-inbox" env:"NATS_INBOX_PREFIX" placeholder:"PREFIX" help:"Prefix of reply subjects; set it if the NATS permissions do not allow _INBOX."`
}

// InProcess is a server in this process; embedded.Server is one.
type InProcess interface {
	InProcessConn() (net.Conn, error)
}

// Timings of the connection.
const (
	dialTimeout   = 5 * time.Second
	pingInterval  = 5 * time.Second // after two missed pings, the connection counts as broken
	reconnectWait = 250 * time.Millisecond
	reconnectMax  = 3 * time.Second
	reconnectBuf  = 16 << 20 // bytes that the client holds while the server is away
)

// Check reports, as job.ErrInvalid, a configuration that can never work. It checks the
// address, the credentials and the files. It does not connect.
func (c *Config) Check() error {
	_, err := c.options()
	return err
}

// options checks the configuration, also its files, and translates it for the client
// library.
func (c *Config) options() ([]nats.Option, error) {
	if c.InProcess == nil && c.URL != "" {
		if _, err := c.URL.Servers("nats", "tls", "ws", "wss"); err != nil {
			return nil, fmt.Errorf("nats URL: %w", err)
		}
	}
	opts := []nats.Option{
		nats.Name(c.Name),
		nats.Timeout(dialTimeout),
		nats.PingInterval(pingInterval),
		nats.MaxPingsOutstanding(2),
		nats.MaxReconnects(-1),
		nats.IgnoreAuthErrorAbort(),
		nats.CustomReconnectDelay(reconnectDelay),
		nats.ReconnectBufSize(reconnectBuf),
	}
	if c.InProcess != nil {
		opts = append(opts, nats.InProcessServer(c.InProcess))
	}
	if c.InboxPrefix != "" {
		opts = append(opts, nats.CustomInboxPrefix(c.InboxPrefix))
	}
	auth, err := c.auth()
	if err != nil {
		return nil, err
	}
	secure, err := c.tls()
	if err != nil {
		return nil, err
	}
	return append(append(opts, auth...), secure...), nil
}

func (c *Config) auth() ([]nats.Option, error) {
	var opts []nats.Option
	var methods []string
	if c.Credentials != "" {
		if err := c.checkCredentials(); err != nil {
			return nil, err
		}
		methods, opts = append(methods, "credentials"), append(opts, nats.UserCredentials(c.Credentials.Path()))
	}
	if c.NKey != "" {
		if _, err := c.NKey.Read("nats nkey file"); err != nil {
			return nil, err
		}
		opt, err := nats.NkeyOptionFromSeed(c.NKey.Path())
		if err != nil {
			return nil, fmt.Errorf("nats nkey file %s: %w: %w", c.NKey, err, job.ErrInvalid)
		}
		methods, opts = append(methods, "nkey"), append(opts, opt)
	}
	if c.User != "" || c.Password != "" {
		methods, opts = append(methods, "user and password"), append(opts, nats.UserInfo(c.User, c.Password.Reveal()))
	}
	if c.Token != "" {
		methods, opts = append(methods, "token"), append(opts, nats.Token(c.Token.Reveal()))
	}
	if len(methods) > 1 {
		return nil, fmt.Errorf("nats: %q are set; at most one of them is allowed: %w", methods, job.ErrInvalid)
	}
	return opts, nil
}

// checkCredentials reports a credentials file that the client can never use.
func (c *Config) checkCredentials() error {
	data, err := c.Credentials.Read("nats credentials file")
	if err != nil {
		return err
	}
	if _, err := nkeys.ParseDecoratedJWT(data); err != nil {
		return fmt.Errorf("nats credentials file %s: it has no user JWT: %w", c.Credentials, job.ErrInvalid)
	}
	keys, err := nkeys.ParseDecoratedUserNKey(data)
	if err != nil {
		return fmt.Errorf("nats credentials file %s: it has no NKey seed of a user: %w", c.Credentials, job.ErrInvalid)
	}
	keys.Wipe()
	return nil
}

func (c *Config) tls() ([]nats.Option, error) {
	files := access.TLS{CA: c.TLSCA, Cert: c.TLSCert, Key: c.TLSKey}
	if err := files.Apply("nats", new(tls.Config)); err != nil {
		return nil, err
	}
	var opts []nats.Option
	if c.TLSCA != "" {
		opts = append(opts, nats.RootCAs(c.TLSCA.Path()))
	}
	if c.TLSCert != "" {
		opts = append(opts, nats.ClientCert(c.TLSCert.Path(), c.TLSKey.Path()))
	}
	return opts, nil
}

func reconnectDelay(attempts int) time.Duration {
	return min(reconnectWait<<min(attempts, 10), reconnectMax)
}
