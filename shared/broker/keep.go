package broker

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"github.com/rs/zerolog"
)

// keepEvery is how often Keep checks the streams and buckets.
const keepEvery = time.Second

// quietPeriod is the time in which a lasting fault is not logged again.
const quietPeriod = 10 * time.Second

// rateLimited returns a logger that writes at most one line in quietPeriod.
func rateLimited(log zerolog.Logger) zerolog.Logger {
	return log.Sample(&zerolog.BurstSampler{Burst: 1, Period: quietPeriod})
}

// Keep checks the streams and buckets of Setup until ctx ends. It creates again what the
// server has lost: somebody deleted it, or the server came back with an empty store. It
// logs once what was lost. If something cannot be created, it logs the reason, at most
// every ten seconds. Several processes may call it.
func (c *Conn) Keep(ctx context.Context, cfg SetupConfig) {
	k := keeper{c: c, resources: c.resources(cfg.withDefaults()), made: map[string]time.Time{}, failing: rateLimited(c.log)}
	connected := c.nc.StatusChanged(nats.CONNECTED)
	defer c.nc.RemoveStatusListener(connected)
	tick := time.NewTicker(keepEvery)
	defer tick.Stop()
	for {
		if c.Connected() {
			k.check(ctx)
		}
		select {
		case <-ctx.Done():
			return
		case <-connected:
		case <-tick.C:
		}
	}
}

// keeper is the state of Keep.
type keeper struct {
	c         *Conn
	resources []resource
	made      map[string]time.Time // stream → its creation time, as the server last reported it
	failures  int                  // number of failures since the last success
	failing   zerolog.Logger
}

// check creates what is missing, and notices what another process has created again.
func (k *keeper) check(ctx context.Context) {
	for _, p := range k.resources {
		created, err := k.c.created(ctx, p.stream)
		lost := errors.Is(err, jetstream.ErrStreamNotFound)
		if lost {
			if err = k.c.attempt(ctx, p.ensure); err == nil {
				level := zerolog.ErrorLevel
				if p.stream == TaskStream { // it is in memory: every restart of the server loses it
					level = zerolog.WarnLevel
				}
				k.c.log.WithLevel(level).Str("lost", p.holds).Msgf("NATS had lost the %s; it is made again", p.what)
				created, err = k.c.created(ctx, p.stream)
			}
		}
		if err != nil {
			if ctx.Err() == nil {
				k.failures++
				k.failing.Error().Err(err).Int("failures", k.failures).Bool("missing", lost).Msgf("cannot make sure of the %s", p.what)
			}
			return // the server or its disk has a fault that affects the others too
		}
		if before, known := k.made[p.stream]; (known || lost) && !created.Equal(before) && p.stream == kvStream+JobBucket {
			k.c.renewed.announce()
		}
		k.made[p.stream] = created
	}
	k.failures = 0
}

// created asks the server when a stream was created.
func (c *Conn) created(ctx context.Context, stream string) (time.Time, error) {
	ctx, cancel := context.WithTimeout(ctx, setupTimeout)
	defer cancel()
	s, err := c.js.Stream(ctx, stream)
	if err != nil {
		return time.Time{}, err
	}
	return s.CachedInfo().Created, nil
}

// signal wakes all goroutines that wait for the next occurrence of something.
type signal struct {
	mu sync.Mutex
	ch chan struct{} // closed and replaced by announce
}

// next returns a channel that the next announce closes.
func (s *signal) next() <-chan struct{} {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.ch == nil {
		s.ch = make(chan struct{})
	}
	return s.ch
}

func (s *signal) announce() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.ch != nil {
		close(s.ch)
		s.ch = nil
	}
}

// Missing fails when streams or buckets do not exist, and names each of them.
func (c *Conn) Missing(ctx context.Context) error {
	var gone []string
	for _, p := range c.resources(SetupConfig{}) {
		_, err := c.js.Stream(ctx, p.stream)
		switch {
		case errors.Is(err, jetstream.ErrStreamNotFound):
			gone = append(gone, p.what)
		case err != nil:
			return wrap("look for the "+p.what, err)
		}
	}
	if len(gone) > 0 {
		return fmt.Errorf("missing in NATS: %s", strings.Join(gone, ", "))
	}
	return nil
}

// TasksMissing fails when the task stream does not exist.
func (c *Conn) TasksMissing(ctx context.Context) error {
	_, err := c.js.Stream(ctx, TaskStream)
	return wrap("look for the stream "+TaskStream, err)
}
