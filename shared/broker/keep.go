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

// removal is how long a stream must be missing before Keep creates it again, if the server
// stores it in files. The server reports a stream as missing a moment before it removes
// the stream's directory. A stream that is created in that moment loses its directory: it
// accepts messages, but stores nothing.
const removal = keepEvery / 4

// youth is how long Keep checks the directory of a stream after it has created the stream.
// A server under load may need longer than removal.
const youth = 5 * keepEvery

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
	k := newKeeper(c, c.resources(cfg.withDefaults()))
	connected := c.nc.StatusChanged(nats.CONNECTED)
	defer c.nc.RemoveStatusListener(connected)
	timer := time.NewTimer(keepEvery)
	defer timer.Stop()
	for {
		next := keepEvery
		if c.Connected() && k.check(ctx) {
			next = removal
		}
		timer.Reset(next)
		select {
		case <-ctx.Done():
			return
		case <-connected:
		case <-timer.C:
		}
	}
}

// keeper is the state of Keep.
type keeper struct {
	c         *Conn
	resources []resource
	known     map[string]*kept // by stream
	failures  int              // number of failures since the last success
	failing   zerolog.Logger
}

// kept is what the checks have found out about one stream.
type kept struct {
	created time.Time // its creation time, as the server last reported it; zero: not known yet
	missing time.Time // when it was first found missing; zero: it is not missing
	lost    bool      // whether Keep has begun to create it and has not yet reported it as made again
	made    time.Time // when Keep created it; zero: Keep has not created it
}

func newKeeper(c *Conn, resources []resource) *keeper {
	k := &keeper{c: c, resources: resources, known: map[string]*kept{}, failing: rateLimited(c.log)}
	for _, p := range resources {
		k.known[p.stream] = &kept{}
	}
	return k
}

// check creates what is missing, and notices what another process has created again. It
// reports whether a stream is missing that may only be created later.
func (k *keeper) check(ctx context.Context) (waits bool) {
	for _, p := range k.resources {
		wait, err := k.checkOne(ctx, p, k.known[p.stream])
		if err != nil {
			if ctx.Err() == nil {
				k.failures++
				k.failing.Error().Err(err).Int("failures", k.failures).Bool("missing", k.known[p.stream].lost).Msgf("cannot check the %s", p.what)
			}
			return waits // the server or its disk has a fault that affects the others too
		}
		waits = waits || wait
	}
	k.failures = 0
	return waits
}

// checkOne is check for one stream. An attempt to create a stream may fail after the server
// has created it: the server answers too late, or refuses a later property. So lost stays
// true until an attempt succeeds.
func (k *keeper) checkOne(ctx context.Context, p resource, known *kept) (wait bool, err error) {
	created, err := k.c.created(ctx, p.stream)
	if errors.Is(err, jetstream.ErrStreamNotFound) {
		if known.missing.IsZero() {
			known.missing = time.Now()
		}
		if p.file && time.Since(known.missing) < removal {
			return true, nil
		}
		known.lost, err = true, nil
	}
	again := known.lost
	young := p.file && time.Since(known.made) < youth
	if err == nil && (again || young) {
		if err = k.ensure(ctx, p); err == nil {
			created, err = k.c.created(ctx, p.stream)
		}
	}
	if err != nil {
		return false, err
	}
	if again {
		level := zerolog.ErrorLevel
		if !p.file { // every restart of the server loses it
			level = zerolog.WarnLevel
		}
		k.c.log.WithLevel(level).Str("lost", p.holds).Msgf("NATS had lost the %s; it is made again", p.what)
		known.made = time.Now()
	}
	if p.stream == kvStream+JobBucket && (again || !known.created.IsZero()) && !created.Equal(known.created) {
		k.c.renewed.announce()
	}
	*known = kept{created: created, made: known.made}
	return false, nil
}

// ensure creates a stream or updates it. An update writes the configuration into the
// stream's directory. A stream without a directory has lost all its messages, so ensure
// deletes it and fails; the next check finds it missing. The server answers a deletion when
// it has removed everything.
func (k *keeper) ensure(ctx context.Context, p resource) error {
	err := k.c.attempt(ctx, p.ensure)
	if !directoryGone(err) {
		return err
	}
	// Another process may have created the stream again in the meantime. The same stream must
	// fail twice.
	before, createdErr := k.c.created(ctx, p.stream)
	if again := k.c.attempt(ctx, p.ensure); createdErr != nil || !directoryGone(again) {
		return errors.Join(createdErr, again)
	}
	if after, err := k.c.created(ctx, p.stream); err != nil || !after.Equal(before) {
		return errors.Join(err, fmt.Errorf("another process has created the stream %s again; Keep checks it again", p.stream))
	}
	err = fmt.Errorf("NATS has removed the directory of the new stream %s; Keep deletes the stream and creates it again: %w", p.stream, err)
	return errors.Join(err, k.c.attempt(ctx, func(ctx context.Context) error { return k.c.js.DeleteStream(ctx, p.stream) }))
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
			return wrap("check for the "+p.what, err)
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
	return wrap("check for the stream "+TaskStream, err)
}
