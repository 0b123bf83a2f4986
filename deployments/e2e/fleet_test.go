//go:build e2e

package e2e

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/stretchr/testify/require"

	"tributary/deployments/e2e/programs"
	"tributary/shared/job"
)

func TestMain(m *testing.M) { programs.Main(m) }

// with writes a copy of a spec in which some lines have other values.
func with(t *testing.T, job string, lines ...string) string {
	t.Helper()
	f, err := os.Open(filepath.Join(programs.Root, job))
	require.NoError(t, err)
	defer f.Close()
	var out bytes.Buffer
	replaced := 0
	for in := bufio.NewScanner(f); in.Scan(); {
		line := in.Text()
		for _, l := range lines {
			if key, _, _ := strings.Cut(l, ":"); strings.HasPrefix(line, key+":") {
				line = l
				replaced++
			}
		}
		fmt.Fprintln(&out, line)
	}
	require.Equal(t, len(lines), replaced)
	path := filepath.Join(t.TempDir(), "spec.yaml")
	require.NoError(t, os.WriteFile(path, out.Bytes(), 0o644))
	return path
}

// plainly trains the spec in a file in the plain loop of shared/serial.
func plainly(t *testing.T, path string) job.Digest {
	t.Helper()
	text, err := os.ReadFile(path)
	require.NoError(t, err)
	return reference(t, strings.ReplaceAll(string(text), "deployments/data", programs.Root+"/deployments/data"))
}

// churn kills a random worker periodically and starts another one in its place, until
// stop is called. stop returns how many workers it killed.
func churn(t *testing.T, s *programs.Servers, workers int, every time.Duration) (stop func() int) {
	ctx, cancel := context.WithCancel(t.Context())
	fleet := make([]*programs.Process, workers)
	for i := range fleet {
		fleet[i] = s.Worker(t, 1)
	}
	killed := 0
	var done sync.WaitGroup
	done.Go(func() {
		for {
			select {
			case <-ctx.Done():
				return
			case <-time.After(every):
			}
			i := rand.IntN(workers)
			fleet[i].Kill()
			killed++
			fleet[i] = s.Worker(t, 1+rand.IntN(2)) //nolint:contextcheck // it ends with the test, not with the churn
		}
	})
	return func() int { cancel(); done.Wait(); return killed }
}

func TestAnyFleetGivesTheSameBits(t *testing.T) {
	for _, c := range []struct {
		name  string
		text  func(t *testing.T) string
		every time.Duration
	}{
		{"digits", func(t *testing.T) string {
			return with(t, "deployments/jobs/digits.yaml", "epochs: 100")
		}, 400 * time.Millisecond},
		{"mnist", func(t *testing.T) string {
			return with(t, "deployments/jobs/mnist.yaml", "epochs: 1")
		}, time.Second},
	} {
		t.Run(c.name, func(t *testing.T) {
			ctx, cancel := context.WithTimeout(t.Context(), 10*time.Minute)
			defer cancel()
			path := c.text(t)
			want := plainly(t, path)
			for _, workers := range []string{"1", "2", "3", "8"} {
				for _, share := range []string{"always", "auto"} {
					o := programs.Train(ctx, t, path, "--workers", workers, "--share", share)
					require.Equal(t, want, o.ParametersSHA256, "%s workers in one process share %s", workers, share)
				}
			}
			s := programs.StartServers(t)
			stop := churn(t, s, 3, c.every)
			got := programs.Train(ctx, t, path, "--nats", s.NATS, "--redis", s.Redis, "--workers", "0", "--share", "always")
			killed := stop()
			require.Equal(t, want, got.ParametersSHA256, "worker processes, %d of them killed", killed)
			require.Positive(t, killed, "nobody was killed: the job is too short")
			t.Logf("%d steps, %d workers killed, %s", got.Steps, killed, got.ParametersSHA256)
		})
	}
}

// TestMNISTIsLearned compares the whole job with what PyTorch reaches with the same
// settings, 0.968.
func TestMNISTIsLearned(t *testing.T) {
	o := programs.Train(t.Context(), t, "deployments/jobs/mnist.yaml")
	require.GreaterOrEqual(t, o.Metrics[job.Test]["accuracy"], 0.965)
	digests, err := os.ReadFile(filepath.Join(programs.Root, "deployments/jobs/DIGESTS"))
	require.NoError(t, err)
	require.Contains(t, string(digests), string(o.ParametersSHA256)+"  mnist.yaml\n")
	t.Logf("%+v", o)
}

// client uses the API as the nats CLI does.
type client struct {
	t  *testing.T
	nc *nats.Conn
}

func dial(t *testing.T, s *programs.Servers) client {
	t.Helper()
	nc, err := nats.Connect(s.NATS, nats.MaxReconnects(-1), nats.ReconnectWait(50*time.Millisecond), nats.RetryOnFailedConnect(true))
	require.NoError(t, err)
	t.Cleanup(nc.Close)
	return client{t, nc}
}

// ask repeats a request until a coordinator answers.
func (c client) ask(subject, body string, answer any) {
	c.t.Helper()
	for {
		m, err := c.nc.Request(subject, []byte(body), time.Second)
		if err == nil && m.Header.Get("Nats-Service-Error-Code") == "" {
			require.NoError(c.t, json.Unmarshal(m.Data, answer), string(m.Data))
			return
		}
		select {
		case <-c.t.Context().Done():
			require.NoError(c.t, err, subject)
		case <-time.After(20 * time.Millisecond):
		}
	}
}

// until waits until a job's record is as wanted.
func (c client) until(id job.ID, wanted func(job.Record) bool) job.Record {
	c.t.Helper()
	for {
		var r job.Record
		c.ask("tributary.jobs.get", string(id), &r)
		if wanted(r) {
			return r
		}
		require.False(c.t, r.State.Final(), "job ended: %s %s", r.State, r.Error)
		select {
		case <-c.t.Context().Done():
			require.Fail(c.t, "the job does not get there")
		case <-time.After(20 * time.Millisecond):
		}
	}
}

// TestServersAndCoordinatorsDie kills everything except the workers, one after another,
// in the middle of a job.
func TestServersAndCoordinatorsDie(t *testing.T) {
	path := with(t, "deployments/jobs/digits.yaml", "epochs: 600")
	want := plainly(t, path)
	text, err := os.ReadFile(path)
	require.NoError(t, err)

	s := programs.StartServers(t, "--appendonly", "yes", "--appendfsync", "always")
	coordinator := s.Coordinator(t)
	s.Worker(t, 1)
	s.Worker(t, 1)
	c := dial(t, s)
	var submitted struct{ ID job.ID }
	c.ask("tributary.jobs.submit", string(text), &submitted)
	c.until(submitted.ID, func(r job.Record) bool { return r.State == job.Running })

	progress := make(chan struct{}, 1)
	sub, err := c.nc.Subscribe("tributary.commit.*", func(*nats.Msg) {
		select {
		case progress <- struct{}{}:
		default:
		}
	})
	require.NoError(t, err)
	defer func() { require.NoError(t, sub.Unsubscribe()) }()
	steps := func(n int) {
		t.Helper()
		for range n {
			select {
			case <-progress:
			case <-time.After(time.Minute):
				require.Fail(t, "no step is committed any more")
			}
		}
	}
	for _, die := range []struct {
		what string
		how  func()
	}{
		{"the coordinator is killed and another one started", func() { coordinator.Kill(); coordinator = s.Coordinator(t) }},
		{"nats-server is killed, with the task stream in its memory", func() { s.RestartNATS(t) }},
		{"redis-server is killed", func() { s.RedisServer.Stop(); s.RedisServer.Restart() }},
		{"the coordinator is stopped and another one started", func() { coordinator.Stop(); coordinator = s.Coordinator(t) }},
	} {
		steps(50)
		began := time.Now()
		die.how()
		for len(progress) > 0 {
			<-progress // reported before
		}
		steps(1)
		t.Logf("%s: the next step after %s", die.what, time.Since(began).Round(time.Millisecond))
	}
	r := c.until(submitted.ID, func(r job.Record) bool { return r.State == job.Succeeded })
	require.Equal(t, want, r.Outcome.ParametersSHA256)
}
