//go:build e2e

// Package e2e runs the real programs as processes against real servers, the
// way people do, and breaks them.
package e2e

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"tributary/shared/job"
	"tributary/shared/ledger/redis/redistest"
)

// root is the repository's, where specs name their data from.
const root = "../.."

var bin string // folder of the built programs

func TestMain(m *testing.M) {
	os.Exit(run(m))
}

func run(m *testing.M) int {
	dir, err := os.MkdirTemp("", "tributary-e2e-")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer os.RemoveAll(dir)
	bin = dir
	build := exec.Command("go", "build", "-o", bin+"/", "./coordinator", "./worker", "github.com/nats-io/nats-server/v2")
	build.Dir, build.Stderr = root, os.Stderr
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if err := build.Run(); err != nil {
		fmt.Fprintln(os.Stderr, "build:", err)
		return 1
	}
	return m.Run()
}

// process starts a program that is killed at the test's end, if not before.
func process(t *testing.T, name string, args ...string) *exec.Cmd {
	t.Helper()
	c := exec.Command(filepath.Join(bin, name), args...)
	c.Dir = root
	c.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	var log bytes.Buffer
	c.Stdout, c.Stderr = &log, &log
	require.NoError(t, c.Start())
	t.Cleanup(func() {
		_ = c.Process.Kill()
		_ = c.Wait()
		if t.Failed() {
			t.Logf("%s %v:\n%s", name, args, log.String())
		}
	})
	return c
}

// servers is a real nats-server and a real redis-server.
type servers struct{ nats, redis string }

func start(t *testing.T) servers {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	port := l.Addr().(*net.TCPAddr).Port
	require.NoError(t, l.Close())
	redis := redistest.Start(t)
	require.NotNil(t, redis, "redis-server is not in PATH")
	process(t, "nats-server", "-js", "-sd", t.TempDir(), "-a", "127.0.0.1", "-p", fmt.Sprint(port))
	return servers{nats: fmt.Sprintf("nats://127.0.0.1:%d", port), redis: redis.URL}
}

func (s servers) worker(t *testing.T, slots int) *exec.Cmd {
	t.Helper()
	return process(t, "worker", "--nats", s.nats, "--redis", s.redis, "--slots", fmt.Sprint(slots), "--http", "127.0.0.1:0", "--log-level", "warn")
}

// train runs a job with the train command and returns its outcome.
func train(ctx context.Context, t *testing.T, spec string, args ...string) job.Outcome {
	t.Helper()
	c := exec.CommandContext(ctx, filepath.Join(bin, "coordinator"), append([]string{"train", spec, "--out", t.TempDir()}, args...)...)
	c.Dir = root
	var stderr bytes.Buffer
	c.Stderr = &stderr
	out, err := c.Output()
	require.NoError(t, err, stderr.String())
	lines := strings.Split(strings.TrimSpace(string(out)), "\n")
	var o job.Outcome
	require.NoError(t, json.Unmarshal([]byte(lines[len(lines)-1]), &o), "the last line is the outcome")
	return o
}

// shortened writes a spec with other values for some of its lines.
func shortened(t *testing.T, spec string, replace ...string) string {
	t.Helper()
	f, err := os.Open(filepath.Join(root, spec))
	require.NoError(t, err)
	defer f.Close()
	var out bytes.Buffer
	replaced := 0
	for in := bufio.NewScanner(f); in.Scan(); {
		line := in.Text()
		for _, r := range replace {
			if key, _, _ := strings.Cut(r, ":"); strings.HasPrefix(line, key+":") {
				line = r
				replaced++
			}
		}
		fmt.Fprintln(&out, line)
	}
	require.Equal(t, len(replace), replaced)
	path := filepath.Join(t.TempDir(), "spec.yaml")
	require.NoError(t, os.WriteFile(path, out.Bytes(), 0o644))
	return path
}

// churn kills a random worker every now and then and starts another in its
// place, until the returned function is called, which tells how many it killed.
func (s servers) churn(t *testing.T, workers int, every time.Duration) (stop func() int) {
	ctx, cancel := context.WithCancel(t.Context())
	var done sync.WaitGroup
	fleet := make([]*exec.Cmd, workers)
	for i := range fleet {
		fleet[i] = s.worker(t, 1)
	}
	killed := 0
	done.Go(func() {
		for {
			select {
			case <-ctx.Done():
				return
			case <-time.After(every):
			}
			i := rand.IntN(workers)
			_ = fleet[i].Process.Signal(syscall.SIGKILL)
			_ = fleet[i].Wait()
			killed++
			fleet[i] = s.worker(t, 1+rand.IntN(2))
		}
	})
	return func() int { cancel(); done.Wait(); return killed }
}

func TestAnyFleetGivesTheSameBits(t *testing.T) {
	for _, job := range []struct {
		name  string
		spec  func(t *testing.T) string
		every time.Duration
	}{
		{"digits", func(t *testing.T) string {
			return shortened(t, "deployments/jobs/digits.yaml", "epochs: 400")
		}, 300 * time.Millisecond},
		{"mnist", func(t *testing.T) string {
			return shortened(t, "deployments/jobs/mnist.yaml", "epochs: 1")
		}, time.Second},
	} {
		t.Run(job.name, func(t *testing.T) {
			ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute)
			defer cancel()
			spec := job.spec(t)
			want := train(ctx, t, spec, "--workers", "1").ParametersSHA256
			for _, workers := range []string{"2", "3", "8"} {
				require.Equal(t, want, train(ctx, t, spec, "--workers", workers).ParametersSHA256, "%s workers in one process", workers)
			}
			s := start(t)
			stop := s.churn(t, 3, job.every)
			got := train(ctx, t, spec, "--nats", s.nats, "--redis", s.redis, "--workers", "0")
			killed := stop()
			require.Equal(t, want, got.ParametersSHA256, "worker processes, %d of them killed", killed)
			require.Positive(t, killed, "nobody was killed: the job is too short")
			t.Logf("%d steps, %d workers killed, %s", got.Steps, killed, got.ParametersSHA256)
		})
	}
}
