package broker

import (
	"fmt"
	"net"
	"os"
	"time"

	"github.com/nats-io/nats.go"

	"tributary/shared/job"
)

// DefaultURL is where a server is looked for when nothing else is said.
const DefaultURL = nats.DefaultURL

// Config says how to reach NATS and who we are. Every credential is optional.
type Config struct {
	URL         string `name:"nats" env:"NATS_URL" placeholder:"URL" help:"NATS servers, comma-separated, as nats://host:4222 or tls://host:4222; default: nats://127.0.0.1:4222."`
	Credentials string `name:"nats-creds" env:"NATS_CREDS" placeholder:"FILE" help:"NATS credentials file (JWT and NKey seed)."`
	NKey        string `name:"nats-nkey" env:"NATS_NKEY" placeholder:"FILE" help:"File with an NKey seed, instead of credentials."`
	User        string `name:"nats-user" env:"NATS_USER" help:"NATS user name."`
	Password    string `name:"nats-password" env:"NATS_PASSWORD" help:"NATS password."`
	Token       string `name:"nats-token" env:"NATS_TOKEN" help:"NATS token, instead of user and password."`
	TLSCA       string `name:"nats-ca" env:"NATS_CA" placeholder:"FILE" help:"PEM file of the authorities that may sign the server's certificate; turns TLS on."`
	TLSCert     string `name:"nats-cert" env:"NATS_CERT" placeholder:"FILE" help:"PEM file of the client's certificate; wants --nats-key."`
	TLSKey      string `name:"nats-key" env:"NATS_KEY" placeholder:"FILE" help:"PEM file of the client certificate's key."`
	InboxPrefix string `name:"nats-inbox" env:"NATS_INBOX_PREFIX" placeholder:"PREFIX" help:"Prefix of reply subjects, where permissions ask for another than _INBOX."`

	// Name is shown in the server's connection list.
	Name string `kong:"-"`
	// InProcess connects without a network, to an embedded server; URL is then unused.
	InProcess InProcess `kong:"-"`
}

// InProcess is a server in this process; embedded.Server is one.
type InProcess interface {
	InProcessConn() (net.Conn, error)
}

// Timings of the connection.
const (
	dialTimeout   = 5 * time.Second
	pingInterval  = 5 * time.Second // two missed pings: the connection is dead
	reconnectWait = 250 * time.Millisecond
	reconnectMax  = 3 * time.Second
	reconnectBuf  = 16 << 20 // bytes published while the server is away
)

// options checks the configuration, files included, and translates it.
func (c *Config) options() ([]nats.Option, error) {
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
	var ways []string
	if c.Credentials != "" {
		if err := readable("credentials", c.Credentials); err != nil {
			return nil, err
		}
		ways, opts = append(ways, "credentials"), append(opts, nats.UserCredentials(c.Credentials))
	}
	if c.NKey != "" {
		opt, err := nats.NkeyOptionFromSeed(c.NKey)
		if err != nil {
			return nil, fmt.Errorf("nkey file %s: %w: %w", c.NKey, err, job.ErrInvalid)
		}
		ways, opts = append(ways, "nkey"), append(opts, opt)
	}
	if c.User != "" || c.Password != "" {
		ways, opts = append(ways, "user and password"), append(opts, nats.UserInfo(c.User, c.Password))
	}
	if c.Token != "" {
		ways, opts = append(ways, "token"), append(opts, nats.Token(c.Token))
	}
	if len(ways) > 1 {
		return nil, fmt.Errorf("nats: %q are set; at most one of them is allowed: %w", ways, job.ErrInvalid)
	}
	return opts, nil
}

func (c *Config) tls() ([]nats.Option, error) {
	var opts []nats.Option
	if c.TLSCA != "" {
		if err := readable("ca", c.TLSCA); err != nil {
			return nil, err
		}
		opts = append(opts, nats.RootCAs(c.TLSCA))
	}
	if (c.TLSCert == "") != (c.TLSKey == "") {
		return nil, fmt.Errorf("nats: cert and key go together; one of them is missing: %w", job.ErrInvalid)
	}
	if c.TLSCert != "" {
		for field, file := range map[string]string{"cert": c.TLSCert, "key": c.TLSKey} {
			if err := readable(field, file); err != nil {
				return nil, err
			}
		}
		opts = append(opts, nats.ClientCert(c.TLSCert, c.TLSKey))
	}
	return opts, nil
}

func readable(field, file string) error {
	f, err := os.Open(file)
	if err != nil {
		return fmt.Errorf("nats: %s file: %w: %w", field, err, job.ErrInvalid)
	}
	return f.Close()
}

func reconnectDelay(attempts int) time.Duration {
	return min(reconnectWait<<min(attempts, 10), reconnectMax)
}
