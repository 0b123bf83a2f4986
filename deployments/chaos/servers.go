package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"time"

	goredis "github.com/redis/go-redis/v9"
)

// server is a nats-server or redis-server process. It can be restarted at the same
// address with its stored data.
type server struct {
	*process
	program string
	args    []string
	address string
	log     io.Writer
}

func (s *server) start(ctx context.Context) (err error) {
	if s.process, err = spawn(ctx, s.log, s.program, s.args...); err != nil {
		return err
	}
	return answering(ctx, s.address)
}

// answering waits until a program listens at the address.
func answering(ctx context.Context, address string) error {
	ctx, cancel := context.WithTimeout(ctx, 20*time.Second)
	defer cancel()
	for {
		c, err := new(net.Dialer).DialContext(ctx, "tcp", address)
		if err == nil {
			return c.Close()
		}
		if wait(ctx, 5*time.Millisecond) != nil {
			return fmt.Errorf("no server listens at %s: %w", address, err)
		}
	}
}

// wait returns nil after d, or ctx's error if ctx ends before that.
func wait(ctx context.Context, d time.Duration) error {
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-time.After(d):
		return nil
	}
}

func freePort(ctx context.Context) (int, error) {
	l, err := new(net.ListenConfig).Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return 0, err
	}
	return l.Addr().(*net.TCPAddr).Port, l.Close()
}

func newNATS(ctx context.Context, l *lab, dir string, log io.Writer) (*server, error) {
	port, err := freePort(ctx)
	if err != nil {
		return nil, err
	}
	s := &server{
		program: filepath.Join(l.bin, "nats-server"), log: log, address: fmt.Sprintf("127.0.0.1:%d", port),
		args: []string{"-js", "-sd", filepath.Join(dir, "nats"), "-a", "127.0.0.1", "-p", strconv.Itoa(port)},
	}
	return s, s.start(ctx)
}

// redis is a redis-server that logs every write before it answers.
type redis struct {
	*server
	dir    string
	limit  string // maxmemory while no fault lowers it
	client *goredis.Client
}

func newRedis(ctx context.Context, dir string, log io.Writer, limit string) (*redis, error) {
	port, err := freePort(ctx)
	if err != nil {
		return nil, err
	}
	r := &redis{dir: filepath.Join(dir, "redis"), limit: limit}
	if err := os.MkdirAll(r.dir, 0o750); err != nil {
		return nil, err
	}
	r.server = &server{
		program: "redis-server", log: log, address: fmt.Sprintf("127.0.0.1:%d", port),
		args: []string{
			"--bind", "127.0.0.1", "--port", strconv.Itoa(port), "--dir", r.dir, "--save", "", "--dbfilename", "dump.rdb",
			"--appendonly", "yes", "--appendfsync", "no", "--maxmemory-policy", "noeviction", "--maxmemory", limit,
		},
	}
	r.client = goredis.NewClient(&goredis.Options{Addr: r.address})
	return r, r.start(ctx)
}

// start starts the server and waits until it has loaded its data.
func (r *redis) start(ctx context.Context) error {
	if err := r.server.start(ctx); err != nil {
		return err
	}
	for {
		err := r.client.Ping(ctx).Err()
		if err == nil {
			return nil
		}
		if wait(ctx, 5*time.Millisecond) != nil {
			return fmt.Errorf("redis-server does not come up: %w", err)
		}
	}
}

// keys returns the number of keys.
func (r *redis) keys(ctx context.Context) (int64, error) { return r.client.DBSize(ctx).Result() }

// save returns a copy of all data as of now.
func (r *redis) save(ctx context.Context) ([]byte, error) {
	if err := r.client.Save(ctx).Err(); err != nil {
		return nil, err
	}
	return os.ReadFile(filepath.Join(r.dir, "dump.rdb"))
}

// restore sets the server back to a copy: it kills the server and starts it from the
// copy.
func (r *redis) restore(ctx context.Context, old []byte) error {
	r.kill()
	if err := errors.Join(os.RemoveAll(filepath.Join(r.dir, "appendonlydir")), os.WriteFile(filepath.Join(r.dir, "dump.rdb"), old, 0o600)); err != nil {
		return err
	}
	// If an append-only file is configured but missing, the server would start empty. So
	// it starts without one, loads the copy, and then turns the append-only file on.
	args := r.args
	r.args = append(append([]string(nil), args...), "--appendonly", "no")
	defer func() { r.args = args }()
	if err := r.start(ctx); err != nil {
		return err
	}
	return r.client.ConfigSet(ctx, "appendonly", "yes").Err()
}
