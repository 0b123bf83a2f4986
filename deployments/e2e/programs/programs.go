// Package programs starts the real programs and real servers for tests and benchmarks.
//
// It owns processes; each ends with the test that started it. Only the tests of
// deployments call it.
//
// Invariant: every process listens only on the loopback, on a free port, and keeps its
// data in the test's own folder.
package programs

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"

	"tributary/shared/job"
	"tributary/shared/ledger/redis/redistest"
)

// Root is the repository's folder; the paths of data in specs are relative to it. Root is
// right for tests two folders below the repository.
const Root = "../.."

var built string // the folder of the built programs; "" before they are built

// build builds the programs once per test binary, when they are first needed.
var build = sync.OnceValues(func() (string, error) {
	dir, err := os.MkdirTemp("", "tributary-programs-")
	if err != nil {
		return "", err
	}
	built = dir
	return dir, compile(dir, runtime.GOARCH, "./coordinator", "./worker", "github.com/nats-io/nats-server/v2")
})

// compile builds packages for an architecture into a folder.
func compile(dir, arch string, packages ...string) error {
	c := exec.CommandContext(context.Background(), "go", append([]string{"build", "-o", dir + "/"}, packages...)...)
	c.Dir, c.Env = Root, append(os.Environ(), "CGO_ENABLED=0", "GOARCH="+arch)
	if out, err := c.CombinedOutput(); err != nil {
		return fmt.Errorf("build the programs for %s: %w: %s", arch, err, out)
	}
	return nil
}

// Main runs a package's tests and removes the built programs. The testing package reads
// the result from m.
func Main(m *testing.M) {
	m.Run()
	if built != "" {
		_ = os.RemoveAll(built) // a temporary folder may be left behind
	}
}

func path(t testing.TB, name string) string {
	t.Helper()
	dir, err := build()
	require.NoError(t, err)
	return filepath.Join(dir, name)
}

// Process is a program that was started.
type Process struct {
	cmd  *exec.Cmd
	log  bytes.Buffer
	once sync.Once
}

// Start starts a program: coordinator, worker or nats-server. The end of the test kills
// it if it still runs. If the test has failed, its output is shown.
func Start(t testing.TB, name string, args ...string) *Process {
	t.Helper()
	return start(t, exec.CommandContext(context.WithoutCancel(t.Context()), path(t, name), args...))
}

func start(t testing.TB, c *exec.Cmd) *Process {
	t.Helper()
	p := &Process{cmd: c}
	p.cmd.Dir = Root
	p.cmd.Stdout, p.cmd.Stderr = &p.log, &p.log
	require.NoError(t, p.cmd.Start())
	t.Cleanup(func() {
		p.Kill()
		if t.Failed() {
			t.Logf("%v:\n%s", c.Args, p.log.String())
		}
	})
	return p
}

// Kill sends SIGKILL and returns when the process has ended.
func (p *Process) Kill() { p.end(syscall.SIGKILL) }

// Stop sends SIGTERM and returns when the process has ended.
func (p *Process) Stop() { p.end(syscall.SIGTERM) }

func (p *Process) end(s syscall.Signal) {
	p.once.Do(func() {
		_ = p.cmd.Process.Signal(s) // it may have ended already
		_ = p.cmd.Wait()            // the exit status does not matter
	})
}

// Servers is a real nats-server and a real redis-server.
type Servers struct {
	NATS, Redis string // URLs
	nats        *Process
	args        []string
	RedisServer *redistest.Server
}

// StartServers starts both servers; redis holds additional arguments for redis-server.
func StartServers(t testing.TB, redis ...string) *Servers {
	t.Helper()
	r := redistest.Start(t, redis...)
	require.NotNil(t, r, "redis-server is not in PATH")
	port := free(t)
	s := &Servers{
		NATS: fmt.Sprintf("nats://127.0.0.1:%d", port), Redis: r.URL, RedisServer: r,
		args: []string{"-js", "-sd", t.TempDir(), "-a", "127.0.0.1", "-p", fmt.Sprint(port)},
	}
	s.nats = Start(t, "nats-server", s.args...)
	return s
}

// free returns a port that nothing listens on.
func free(t testing.TB) int {
	t.Helper()
	l, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer l.Close()
	return l.Addr().(*net.TCPAddr).Port
}

// RestartNATS kills the nats-server and starts it again with its stored data. Streams in
// memory are lost.
func (s *Servers) RestartNATS(t testing.TB) {
	t.Helper()
	s.nats.Kill()
	s.nats = Start(t, "nats-server", s.args...)
}

func (s *Servers) flags() []string {
	return []string{"--nats", s.NATS, "--redis", s.Redis, "--http", "127.0.0.1:0", "--log-level", "warn"}
}

// Worker starts a worker with so many slots.
func (s *Servers) Worker(t testing.TB, slots int) *Process {
	t.Helper()
	return Start(t, "worker", append(s.flags(), "--slots", fmt.Sprint(slots))...)
}

// Coordinator starts a coordinator that may read below deployments/data.
func (s *Servers) Coordinator(t testing.TB) *Process {
	t.Helper()
	return Start(t, "coordinator", append([]string{"serve", "--data-root", "deployments/data"}, s.flags()...)...)
}

// Train runs the train command on a spec and returns its outcome.
func Train(ctx context.Context, t testing.TB, spec string, args ...string) job.Outcome {
	t.Helper()
	return outcome(t, exec.CommandContext(ctx, path(t, "coordinator"), append([]string{"train", spec, "--out", t.TempDir()}, args...)...))
}

// Sweep runs the sweep command on a file and returns the line that it prints.
func Sweep(ctx context.Context, t testing.TB, file string) []byte {
	t.Helper()
	c := exec.CommandContext(ctx, path(t, "coordinator"), "sweep", file, "--out", t.TempDir())
	c.Dir = Root
	var stderr bytes.Buffer
	c.Stderr = &stderr
	out, err := c.Output()
	require.NoError(t, err, stderr.String())
	return out
}

// Verify runs the verify command, which may fail. It returns the last line of its output
// and its exit status.
func Verify(ctx context.Context, t testing.TB, args ...string) (v job.Verification, status int) {
	t.Helper()
	c := exec.CommandContext(ctx, path(t, "coordinator"), append([]string{"verify"}, args...)...)
	c.Dir = Root
	var stderr bytes.Buffer
	c.Stderr = &stderr
	out, err := c.Output()
	if _, failed := errors.AsType[*exec.ExitError](err); !failed {
		require.NoError(t, err, stderr.String())
	}
	lines := strings.Split(strings.TrimSpace(string(out)), "\n")
	require.NoError(t, json.Unmarshal([]byte(lines[len(lines)-1]), &v), "the last line is the verification: %s", stderr.String())
	return v, c.ProcessState.ExitCode()
}

func outcome(t testing.TB, c *exec.Cmd) job.Outcome {
	t.Helper()
	c.Dir = Root
	var stderr bytes.Buffer
	c.Stderr = &stderr
	out, err := c.Output()
	require.NoError(t, err, stderr.String())
	lines := strings.Split(strings.TrimSpace(string(out)), "\n")
	var o job.Outcome
	require.NoError(t, json.Unmarshal([]byte(lines[len(lines)-1]), &o), "the last line is the outcome")
	return o
}
