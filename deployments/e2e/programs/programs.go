// Package programs starts the real programs and real servers for tests and
// benchmarks.
//
// It owns processes, which end with the test that started them. Tests of the
// deployment call it; nothing else does.
//
// Invariant: everything listens on the loopback alone, on free ports, and
// keeps its data in the test's own folder.
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

// Root is the repository's folder, from which specs name their data. Tests two
// folders below it use it as it is.
const Root = "../.."

var built string // the folder of the programs, once there is one

// build builds the programs once per test binary, when one is first needed.
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

// Main runs a package's tests and removes the built programs. The testing
// package takes m's result from there.
func Main(m *testing.M) {
	m.Run()
	if built != "" {
		_ = os.RemoveAll(built) // a folder left in the system's own for such
	}
}

func path(t testing.TB, name string) string {
	t.Helper()
	dir, err := build()
	require.NoError(t, err)
	return filepath.Join(dir, name)
}

// Process is a running program.
type Process struct {
	cmd  *exec.Cmd
	log  bytes.Buffer
	once sync.Once
}

// Start starts a program: coordinator, worker or nats-server. It is killed at
// the test's end at the latest; its output is shown when the test has failed.
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

// Kill is kill -9; it returns when the process is gone.
func (p *Process) Kill() { p.end(syscall.SIGKILL) }

// Stop is SIGTERM; it returns when the process is gone.
func (p *Process) Stop() { p.end(syscall.SIGTERM) }

func (p *Process) end(s syscall.Signal) {
	p.once.Do(func() {
		_ = p.cmd.Process.Signal(s) // it may be gone already
		_ = p.cmd.Wait()            // how it ended does not matter
	})
}

// Servers is a real nats-server and a real redis-server.
type Servers struct {
	NATS, Redis string // URLs
	nats        *Process
	args        []string
	RedisServer *redistest.Server
}

// StartServers starts both; redis-server is given further arguments.
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

// RestartNATS kills the nats-server and starts it again with what it stored;
// streams in memory are gone.
func (s *Servers) RestartNATS(t testing.TB) {
	t.Helper()
	s.nats.Kill()
	s.nats = Start(t, "nats-server", s.args...)
}

func (s *Servers) flags() []string {
	return []string{"--nats", s.NATS, "--redis", s.Redis, "--http", "127.0.0.1:0", "--log-level", "warn"}
}

// Worker starts a worker of so many slots.
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

// Verify runs the verify command, which may fail, and returns the last line that it
// prints and its exit status.
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
