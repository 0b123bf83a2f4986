package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/Shopify/toxiproxy/v2"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/rs/zerolog"
)

// member is a coordinator or a worker, with its own proxy to each server.
type member struct {
	name        string
	program     string
	args        []string
	nats, redis *toxiproxy.Proxy
	http        string // the address of its health checks
	*process
	busy bool // a fault is active on it; the fleet's lock guards this field
}

// fleet holds the processes of one scenario.
type fleet struct {
	lab   *lab
	log   io.Writer
	net   *toxiproxy.ApiServer
	nats  *server
	redis *redis

	mu           sync.Mutex
	workers      []*member
	coordinators []*member
	processes    []named // all processes that launch started
	serversBusy  bool
	started      int
}

// named is a process and the name of its member.
type named struct {
	name string
	*process
}

func newFleet(ctx context.Context, l *lab, dir string, log io.Writer, coordinators, workers int, scarce scarcity) (*fleet, error) {
	f := &fleet{lab: l, log: log, net: toxiproxy.NewServer(toxiproxy.NewMetricsContainer(prometheus.NewRegistry()), zerolog.Nop())}
	var err error
	if f.nats, err = newNATS(ctx, l, dir, log); err != nil {
		return f, err
	}
	if f.redis, err = newRedis(ctx, dir, log, scarce.redis); err != nil {
		return f, err
	}
	share := []string{"always", "auto"}[workers%2]
	for range coordinators {
		if _, err := f.add(ctx, "coordinator", "serve", "--data-root", "deployments/data:"+l.temp, "--share", share); err != nil {
			return f, err
		}
	}
	for i := range workers {
		if _, err := f.add(ctx, "worker", "--slots", fmt.Sprint(1+i%2), "--memory", fmt.Sprint(scarce.worker)); err != nil {
			return f, err
		}
	}
	return f, nil
}

// add starts one more member.
func (f *fleet) add(ctx context.Context, program string, args ...string) (*member, error) {
	f.mu.Lock()
	f.started++
	m := &member{name: fmt.Sprintf("%s-%d", program, f.started), program: program, args: args}
	f.mu.Unlock()
	for _, link := range []struct {
		proxy  **toxiproxy.Proxy
		server *server
	}{{&m.nats, f.nats}, {&m.redis, f.redis.server}} {
		p := toxiproxy.NewProxy(f.net, m.name, "127.0.0.1:0", link.server.address)
		if err := p.Start(); err != nil {
			return nil, fmt.Errorf("proxy of %s: %w", m.name, err)
		}
		*link.proxy = p
	}
	port, err := freePort(ctx)
	if err != nil {
		return nil, err
	}
	m.http = fmt.Sprintf("127.0.0.1:%d", port)
	if err := f.launch(ctx, m); err != nil {
		return nil, err
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	if program == "worker" {
		f.workers = append(f.workers, m)
	} else {
		f.coordinators = append(f.coordinators, m)
	}
	return m, nil
}

// launch starts a member's process, also after its death.
func (f *fleet) launch(ctx context.Context, m *member) (err error) {
	fmt.Fprintf(f.log, "--- %s starts at %s\n", m.name, time.Now().Format(time.TimeOnly))
	args := append(append([]string(nil), m.args...),
		"--nats", "nats://"+m.nats.Listen, "--redis", "redis://"+m.redis.Listen, "--http", m.http, "--log-level", "info")
	if m.process, err = spawn(ctx, prefixed{m.name, f.log}, filepath.Join(f.lab.bin, m.program), args...); err != nil {
		return err
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	f.processes = append(f.processes, named{m.name, m.process})
	return nil
}

// crashed reports coordinators and workers that ended without a request, or panicked.
func (f *fleet) crashed() error {
	f.mu.Lock()
	defer f.mu.Unlock()
	var faults []error
	for _, p := range f.processes {
		if fault := p.fault(); fault != "" {
			faults = append(faults, fmt.Errorf("%s %s", p.name, fault))
		}
	}
	return errors.Join(faults...)
}

// claim picks a member that no other fault is active on; it returns nil if there is none.
func (f *fleet) claim(r *rand.Rand, of []*member) *member {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, i := range r.Perm(len(of)) {
		if !of[i].busy {
			of[i].busy = true
			return of[i]
		}
	}
	return nil
}

func (f *fleet) release(m *member) {
	f.mu.Lock()
	defer f.mu.Unlock()
	m.busy = false
}

// claimServers ensures that only one fault at a time is active on the servers.
func (f *fleet) claimServers() bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	was := f.serversBusy
	f.serversBusy = true
	return !was
}

func (f *fleet) releaseServers() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.serversBusy = false
}

// close kills everything.
func (f *fleet) close() {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, m := range append(f.workers, f.coordinators...) {
		m.signal(syscall.SIGCONT)
		m.kill()
		m.nats.Stop()
		m.redis.Stop()
	}
	if f.redis != nil {
		_ = f.redis.client.Close() // the server ends next
		if f.redis.process != nil {
			f.redis.kill()
		}
	}
	if f.nats != nil && f.nats.process != nil {
		f.nats.kill()
	}
}

// prefixed writes a process's lines with its name in front.
type prefixed struct {
	name string
	to   io.Writer
}

func (p prefixed) Write(b []byte) (int, error) {
	text := strings.TrimRight(string(b), "\n")
	if _, err := fmt.Fprintf(p.to, "%s | %s\n", p.name, strings.ReplaceAll(text, "\n", "\n"+p.name+" | ")); err != nil {
		return 0, err
	}
	return len(b), nil
}

// journal is a log file that several processes write.
type journal struct {
	mu sync.Mutex
	f  *os.File
}

func (j *journal) Write(b []byte) (int, error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.f.Write(b)
}
