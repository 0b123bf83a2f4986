package redis

import (
	"fmt"
	"strings"
	"time"

	goredis "github.com/redis/go-redis/v9"
	"github.com/redis/go-redis/v9/maintnotifications"
	"github.com/rs/zerolog"

	"tributary/shared/access"
	"tributary/shared/job"
)

// Config says how to connect to the server.
type Config struct {
	// URL is redis://[user:password@]host[:port][/db], rediss://… for TLS, or unix:///path.
	// Open asks the server whether it is a cluster. Where INFO is not allowed, add
	// ?addr=host:port with another node of the cluster.
	URL access.URL
	// Username and Password, when not empty, replace those in the URL.
	Username string
	Password access.Text
	// TLS is used with rediss:// only.
	TLS access.TLS
	// VectorConns and ControlConns bound the connections to each server, for vectors and
	// for everything else. They are 1 or more; 0 means 8.
	VectorConns, ControlConns int
	// Log receives the reasons why Open waits, and warnings about a server that does not
	// report its settings; the zero value logs nothing.
	Log zerolog.Logger
}

const (
	defaultConns = 8
	// ioTimeout: a server that takes longer to transfer a pipeline counts as lost.
	ioTimeout   = 10 * time.Second
	dialTimeout = 5 * time.Second
)

// Check reports, as job.ErrInvalid, a configuration that can never work. It does not
// connect.
func (c Config) Check() error {
	_, err := c.options()
	return err
}

// options parses the configuration. Its errors never show the URL, which may contain a
// password.
func (c Config) options() (*goredis.UniversalOptions, error) {
	opts, err := parseURL(c.URL)
	if err != nil {
		return nil, fmt.Errorf("redis URL: %w; it is redis://[user:password@]host[:port][/db], rediss://… or unix:///path: %w", err, job.ErrInvalid)
	}
	if c.VectorConns < 0 || c.ControlConns < 0 {
		return nil, fmt.Errorf("redis connections %d and %d: want 0 or more: %w", c.VectorConns, c.ControlConns, job.ErrInvalid)
	}
	if c.Username != "" {
		opts.Username = c.Username
	}
	if c.Password != "" {
		opts.Password = c.Password.Reveal()
	}
	if opts.TLSConfig == nil && c.TLS.Used() {
		return nil, fmt.Errorf("redis TLS settings are given but the URL does not begin with rediss://: %w", job.ErrInvalid)
	}
	if opts.TLSConfig != nil {
		if err := c.TLS.Apply("redis", opts.TLSConfig); err != nil {
			return nil, err
		}
	}
	opts.DialTimeout, opts.ReadTimeout, opts.WriteTimeout = dialTimeout, ioTimeout, ioTimeout
	opts.DialerRetries = 1
	opts.ContextTimeoutEnabled = true
	opts.PipelinePoolSize = -1 // every command is in a pipeline, so one pool for each client is enough
	opts.ReadBufferSize, opts.WriteBufferSize = 8<<10, 8<<10
	opts.DisableIdentity = true
	opts.MaintNotificationsConfig = &maintnotifications.Config{Mode: maintnotifications.ModeDisabled}
	return opts, nil
}

func parseURL(address access.URL) (*goredis.UniversalOptions, error) {
	// The library's errors about an invalid address contain parts of the address.
	if _, err := access.ParseURL(address.Reveal(), "redis", "rediss", "unix"); err != nil {
		return nil, err
	}
	text := address.Reveal()
	if strings.Contains(text, "addr=") {
		o, err := goredis.ParseClusterURL(text)
		if err != nil {
			return nil, err
		}
		return &goredis.UniversalOptions{
			Addrs: o.Addrs, Username: o.Username, Password: o.Password, TLSConfig: o.TLSConfig, IsClusterMode: true,
		}, nil
	}
	o, err := goredis.ParseURL(text)
	if err != nil {
		return nil, err
	}
	return &goredis.UniversalOptions{
		Addrs: []string{o.Addr}, DB: o.DB, Username: o.Username, Password: o.Password, TLSConfig: o.TLSConfig,
	}, nil
}
