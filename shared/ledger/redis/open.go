package redis

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/cenkalti/backoff/v5"
	goredis "github.com/redis/go-redis/v9"

	"tributary/shared/job"
)

// Times between attempts to connect.
const (
	firstWait   = 100 * time.Millisecond
	longestWait = 5 * time.Second
)

// Open connects to the server. It waits until the server answers or ctx ends. It returns
// job.ErrInvalid at once for a server that it must not use: one that evicts keys, is too
// old, or refuses the login.
func Open(ctx context.Context, cfg Config) (*Ledger, error) {
	opts, err := cfg.options()
	if err != nil {
		return nil, err
	}
	wait := backoff.NewExponentialBackOff()
	wait.InitialInterval, wait.MaxInterval = firstWait, longestWait
	var last error
	l, err := backoff.Retry(ctx, func() (*Ledger, error) {
		l, err := connect(ctx, cfg, *opts)
		if err != nil {
			last = err
		}
		if err == nil {
			return l, nil
		}
		if err = permanentFault(ctx, opts, err); errors.Is(err, job.ErrInvalid) {
			last = err
			return nil, backoff.Permanent(err)
		}
		return nil, err
	}, backoff.WithBackOff(wait), backoff.WithMaxElapsedTime(0), backoff.WithNotify(func(err error, next time.Duration) {
		cfg.Log.Warn().Err(err).Strs("addresses", opts.Addrs).Dur("retry_in", next).Msg("waiting for redis")
	}))
	switch {
	case err == nil:
		return l, nil
	case errors.Is(err, last):
		return nil, fmt.Errorf("open redis at %s: %w", strings.Join(opts.Addrs, ", "), err)
	default:
		return nil, fmt.Errorf("open redis at %s: %w: %w", strings.Join(opts.Addrs, ", "), err, last)
	}
}

// connect opens both connection pools and inspects every server behind them.
func connect(ctx context.Context, cfg Config, opts goredis.UniversalOptions) (*Ledger, error) {
	l := &Ledger{vectors: pool(opts, cfg.VectorConns), control: pool(opts, cfg.ControlConns), limits: limits{tinyBytes, smallChunk}}
	var found facts
	err := eachNode(ctx, l.control, func(ctx context.Context, node goredis.UniversalClient) error {
		f, err := inspect(ctx, node)
		if err != nil {
			return err
		}
		if !opts.IsClusterMode { // a single node: f runs once, so nothing else writes to found
			found = f
		}
		return f.check(cfg.Log)
	})
	if err == nil && !found.cluster {
		return l, nil
	}
	if cerr := l.Close(); err == nil && cerr != nil {
		err = fmt.Errorf("close a first connection: %w", cerr)
	}
	if err != nil {
		return nil, classify(ctx, err)
	}
	opts.IsClusterMode = true
	return connect(ctx, cfg, opts)
}

func pool(opts goredis.UniversalOptions, conns int) goredis.UniversalClient {
	if conns == 0 {
		conns = defaultConns
	}
	opts.PoolSize = conns
	if opts.TLSConfig != nil {
		opts.TLSConfig = opts.TLSConfig.Clone()
	}
	return goredis.NewUniversalClient(&opts)
}
