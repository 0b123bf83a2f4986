// Package redistest starts Redis servers for tests: miniredis in the test's process, and
// the real redis-server found in PATH.
//
// It owns the server processes, which end with the test that started them. Tests of every
// package that needs a Redis server call it.
//
// Invariant: a server keeps its data in the test's own folder and listens only on the
// loopback interface.
package redistest

import (
	"bufio"
	"io"
	"net"
	"os"
	"os/exec"
	"strings"
	"sync"
	"testing"

	"github.com/alicebob/miniredis/v2"
)

// Mini starts a miniredis and returns its URL.
func Mini(t testing.TB) string {
	t.Helper()
	return "redis://" + miniredis.RunT(t).Addr()
}

// Each runs a test on miniredis, and on redis-server if that is installed.
func Each(t *testing.T, test func(t *testing.T, url string)) {
	t.Helper()
	t.Run("miniredis", func(t *testing.T) { test(t, Mini(t)) })
	t.Run("redis-server", func(t *testing.T) {
		if s := Start(t); s != nil {
			test(t, s.URL)
		}
	})
}

// Server is a redis-server process.
type Server struct {
	URL  string
	Addr string // host:port

	t    testing.TB
	args []string
	mu   sync.Mutex
	cmd  *exec.Cmd
	done chan struct{} // closed when the process has ended
}

// attempts bounds the attempts to find a free port: another process may take the port
// before the server does.
const attempts = 5

// Start starts a redis-server that saves nothing, with further arguments such as
// "--maxmemory", "8mb". If there is no redis-server in PATH, Start returns nil and logs
// that. Where the environment has CI set, it fails the test instead.
func Start(t testing.TB, args ...string) *Server {
	t.Helper()
	s := Reserve(t, args...)
	for range attempts - 1 {
		if s == nil || s.start() {
			return s
		}
		s = Reserve(t, args...)
	}
	if s != nil && !s.start() {
		t.Fatalf("redistest: no redis-server came up in %d attempts", attempts)
	}
	return s
}

// Reserve does the same as Start, but does not start the server; Restart does.
func Reserve(t testing.TB, args ...string) *Server {
	t.Helper()
	return reserve(t, freeAddrs(t, 1)[0], args...)
}

// reserve does the same as Reserve, at a given address.
func reserve(t testing.TB, addr string, args ...string) *Server {
	t.Helper()
	bin, err := exec.LookPath("redis-server")
	if err != nil {
		if os.Getenv("CI") != "" {
			t.Fatalf("redistest: CI needs a redis-server: %v", err)
		}
		t.Logf("redistest: left out: %v", err)
		return nil
	}
	_, port, _ := net.SplitHostPort(addr)
	s := &Server{URL: "redis://" + addr, Addr: addr, t: t}
	s.args = append([]string{
		bin, "--port", port, "--bind", "127.0.0.1", "--dir", t.TempDir(),
		"--save", "", "--appendonly", "no", "--maxmemory-policy", "noeviction",
	}, args...)
	t.Cleanup(s.Stop)
	return s
}

// Add adds arguments. They apply from the next Restart on and override earlier ones.
func (s *Server) Add(args ...string) { s.args = append(s.args, args...) }

// Restart starts the server again, or for the first time, at the same address. Its data in
// memory is lost unless its arguments make it save.
func (s *Server) Restart() {
	s.t.Helper()
	if !s.start() {
		s.t.Fatalf("redistest: redis-server does not come up at %s", s.Addr)
	}
}

// start starts the process and waits until the server is ready. It returns false when the
// process ended before.
func (s *Server) start() bool {
	cmd := exec.CommandContext(s.t.Context(), s.args[0], s.args[1:]...)
	out, err := cmd.StdoutPipe()
	if err != nil {
		s.t.Fatalf("redistest: %v", err)
	}
	if err := cmd.Start(); err != nil {
		s.t.Fatalf("redistest: %v", err)
	}
	lines := bufio.NewScanner(out)
	ready := false
	for !ready && lines.Scan() {
		ready = strings.Contains(lines.Text(), "Ready to accept connections")
	}
	done := make(chan struct{})
	s.mu.Lock()
	s.cmd, s.done = cmd, done
	s.mu.Unlock()
	go func() {
		defer close(done)
		_, _ = io.Copy(io.Discard, out) // ends with the process
		_ = cmd.Wait()                  // Stop kills it, so the result says nothing
	}()
	if !ready {
		<-done
	}
	return ready
}

// Stop kills the server, as a crash would, and waits until the process has ended.
func (s *Server) Stop() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.cmd == nil {
		return
	}
	_ = s.cmd.Process.Kill() // the process may have ended by itself
	<-s.done
	s.cmd = nil
}

// freeAddrs returns n different loopback addresses on which nobody listens now.
func freeAddrs(t testing.TB, n int) []string {
	t.Helper()
	var listen net.ListenConfig
	addrs := make([]string, n)
	var held []net.Listener // open until all addresses are known
	defer func() {
		for _, l := range held {
			_ = l.Close()
		}
	}()
	for i := range addrs {
		l, err := listen.Listen(t.Context(), "tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatalf("redistest: %v", err)
		}
		held = append(held, l)
		addrs[i] = l.Addr().String()
	}
	return addrs
}
