package train

import (
	"context"
	"fmt"

	"github.com/alicebob/miniredis/v2"
	"github.com/rs/zerolog"

	"tributary/shared/access"
	"tributary/shared/blob"
	"tributary/shared/broker"
	"tributary/shared/broker/embedded"
	ledgerredis "tributary/shared/ledger/redis"
	"tributary/shared/settings"
)

// open connects to the given servers, or to embedded ones.
func (c *Command) open(ctx context.Context, log zerolog.Logger) (*settings.Opened, func(), error) {
	if c.NATS != "" {
		s := settings.Stores{
			NATS:  broker.Config{URL: c.NATS, Login: c.NATSLogin},
			Redis: settings.Redis{URL: c.Redis, RedisLogin: c.RedisLogin},
			Blobs: c.Blobs,
		}
		opened, err := s.Open(ctx, "tributary train", log)
		if err != nil {
			return nil, nil, err
		}
		return opened, opened.Close, nil
	}
	return embed(ctx, log)
}

// embed starts servers that exist only as long as this process.
func embed(ctx context.Context, log zerolog.Logger) (_ *settings.Opened, closeAll func(), err error) {
	var closers []func()
	closeAll = func() {
		for i := range closers {
			closers[len(closers)-1-i]()
		}
	}
	defer func() {
		if err != nil {
			closeAll()
		}
	}()
	quiet := log.Level(max(log.GetLevel(), zerolog.WarnLevel))
	nats, err := embedded.Start(embedded.Config{Log: quiet})
	if err != nil {
		return nil, nil, err
	}
	closers = append(closers, func() {
		if err := nats.Close(); err != nil {
			log.Warn().Err(err).Msg("stop the embedded NATS server")
		}
	})
	redis := miniredis.NewMiniRedis()
	if err := redis.Start(); err != nil {
		return nil, nil, fmt.Errorf("start the embedded Redis server: %w", err)
	}
	closers = append(closers, redis.Close)
	opened := &settings.Opened{Blobs: blob.NewMemory(0)}
	if opened.Conn, err = broker.Connect(ctx, broker.Config{Name: "tributary train", InProcess: nats}, quiet); err != nil {
		return nil, nil, err
	}
	closers = append(closers, opened.Close)
	if err := opened.Conn.Setup(ctx, broker.SetupConfig{}); err != nil {
		return nil, nil, err
	}
	if opened.Ledger, err = ledgerredis.Open(ctx, ledgerredis.Config{URL: access.URL("redis://" + redis.Addr())}); err != nil {
		return nil, nil, err
	}
	return opened, closeAll, nil
}
