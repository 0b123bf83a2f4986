package main

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"syscall"
	"time"

	"github.com/Shopify/toxiproxy/v2"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
)

// replace ends a member's process and starts it again a little later.
func (f *fleet) replace(ctx context.Context, r *rand.Rand, of *[]*member, s syscall.Signal) (string, error) {
	m := f.claim(r, *of)
	if m == nil {
		return "", nil
	}
	defer f.release(m)
	m.end(s)
	after := randomTime(r, 0, 800*time.Millisecond)
	if err := wait(ctx, after); err != nil {
		return "", err
	}
	verb := "killed"
	if s == syscall.SIGTERM {
		verb = "stopped"
	}
	return fmt.Sprintf("%s %s", m.name, verb), f.launch(ctx, m)
}

func allGone(ctx context.Context, f *fleet, r *rand.Rand) (string, error) {
	var gone []*member
	for m := f.claim(r, f.workers); m != nil; m = f.claim(r, f.workers) {
		m.kill()
		gone = append(gone, m)
	}
	after := randomTime(r, 500*time.Millisecond, 3*time.Second)
	err := wait(ctx, after)
	for _, m := range gone {
		if err == nil {
			err = f.launch(ctx, m)
		}
		f.release(m)
	}
	return fmt.Sprintf("all %d workers gone for %s", len(gone), after.Round(100*time.Millisecond)), err
}

func (f *fleet) pause(ctx context.Context, r *rand.Rand, of []*member, d time.Duration) (string, error) {
	m := f.claim(r, of)
	if m == nil {
		return "", nil
	}
	defer f.release(m)
	m.signal(syscall.SIGSTOP)
	defer m.signal(syscall.SIGCONT)
	return fmt.Sprintf("%s paused for %s", m.name, d.Round(100*time.Millisecond)), wait(ctx, d)
}

// slow makes a worker run only one of every ten milliseconds.
func slow(ctx context.Context, f *fleet, r *rand.Rand) (string, error) {
	m := f.claim(r, f.workers)
	if m == nil {
		return "", nil
	}
	defer f.release(m)
	defer m.signal(syscall.SIGCONT)
	d := randomTime(r, 2*time.Second, 5*time.Second)
	for end := time.Now().Add(d); time.Now().Before(end); {
		m.signal(syscall.SIGCONT)
		if err := wait(ctx, 2*time.Millisecond); err != nil {
			return "", err
		}
		m.signal(syscall.SIGSTOP)
		if err := wait(ctx, 18*time.Millisecond); err != nil {
			return "", err
		}
	}
	return fmt.Sprintf("%s slow for %s", m.name, d.Round(100*time.Millisecond)), nil
}

func restartNATS(ctx context.Context, f *fleet, r *rand.Rand) (string, error) {
	if !f.claimServers() {
		return "", nil
	}
	defer f.releaseServers()
	f.nats.kill()
	if err := wait(ctx, randomTime(r, 0, 1500*time.Millisecond)); err != nil {
		return "", err
	}
	return "nats-server killed", f.nats.start(ctx)
}

// stream changes the task stream without a proxy. If the stream does not exist at the
// moment, it does nothing.
func (f *fleet) stream(ctx context.Context, do func(jetstream.JetStream) error) error {
	if !f.claimServers() {
		return nil
	}
	defer f.releaseServers()
	nc, err := nats.Connect("nats://"+f.nats.address, nats.RetryOnFailedConnect(true), nats.MaxReconnects(-1))
	if err != nil {
		return err
	}
	defer nc.Close()
	js, err := jetstream.New(nc)
	if err != nil {
		return err
	}
	if err = do(js); errors.Is(err, jetstream.ErrStreamNotFound) {
		return nil
	}
	return err
}

func restartRedis(ctx context.Context, f *fleet, r *rand.Rand) (string, error) {
	if !f.claimServers() {
		return "", nil
	}
	defer f.releaseServers()
	f.redis.kill()
	if err := wait(ctx, randomTime(r, 0, 1500*time.Millisecond)); err != nil {
		return "", err
	}
	return "redis-server killed", f.redis.start(ctx)
}

func oldRedis(ctx context.Context, f *fleet, r *rand.Rand) (string, error) {
	if !f.claimServers() {
		return "", nil
	}
	defer f.releaseServers()
	old, err := f.redis.save(ctx)
	if err != nil {
		return "", err
	}
	back := randomTime(r, 300*time.Millisecond, 2*time.Second)
	if err := wait(ctx, back); err != nil {
		return "", err
	}
	return fmt.Sprintf("redis back by %s", back.Round(100*time.Millisecond)), f.redis.restore(ctx, old)
}

func fullRedis(ctx context.Context, f *fleet, r *rand.Rand) (string, error) {
	if !f.claimServers() {
		return "", nil
	}
	defer f.releaseServers()
	if err := f.redis.client.ConfigSet(ctx, "maxmemory", "1mb").Err(); err != nil {
		return "", err
	}
	d := randomTime(r, 500*time.Millisecond, 3*time.Second)
	err := wait(ctx, d)
	return fmt.Sprintf("redis full for %s", d.Round(100*time.Millisecond)), errors.Join(err, f.redis.client.ConfigSet(context.WithoutCancel(ctx), "maxmemory", f.redis.limit).Err())
}

// link picks one of a member's two connections.
func link(r *rand.Rand, m *member) (*toxiproxy.Proxy, string) {
	if r.IntN(2) == 0 {
		return m.nats, m.name + " to NATS"
	}
	return m.redis, m.name + " to Redis"
}

// anyone picks a worker or a coordinator.
func (f *fleet) anyone(r *rand.Rand) *member {
	f.mu.Lock()
	all := append(append([]*member(nil), f.workers...), f.coordinators...)
	f.mu.Unlock()
	return f.claim(r, all)
}

// toxic disturbs a connection of one process for a while.
func (f *fleet) toxic(ctx context.Context, r *rand.Rand, kind, attributes string, d time.Duration) (string, error) {
	m := f.anyone(r)
	if m == nil {
		return "", nil
	}
	defer f.release(m)
	p, name := link(r, m)
	stream := "downstream" // from the server to the process
	if kind != "timeout" && r.IntN(2) == 0 {
		stream = "upstream" // from the process to the server
	}
	if _, err := p.Toxics.AddToxicJson(strings.NewReader(fmt.Sprintf(`{"name":"t","type":%q,"stream":%q,"attributes":{%s}}`, kind, stream, attributes))); err != nil {
		return "", fmt.Errorf("%s: %w", name, err)
	}
	err := wait(ctx, d)
	return fmt.Sprintf("%s: %s %s for %s", name, kind, stream, d.Round(100*time.Millisecond)), errors.Join(err, p.Toxics.RemoveToxic(context.WithoutCancel(ctx), "t"))
}

// cut breaks a process's connections, and refuses new ones for a while.
func cut(ctx context.Context, f *fleet, r *rand.Rand) (string, error) {
	m := f.anyone(r)
	if m == nil {
		return "", nil
	}
	defer f.release(m)
	p, name := link(r, m)
	listen := p.Listen
	p.Stop()
	d := randomTime(r, 0, 4*time.Second)
	err := wait(ctx, d)
	p.Lock()
	p.Listen = listen
	p.Unlock()
	return fmt.Sprintf("%s cut for %s", name, d.Round(100*time.Millisecond)), errors.Join(err, p.Start())
}
