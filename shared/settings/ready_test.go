package settings_test

import (
	"context"
	"encoding/json"
	"net/http"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/rs/zerolog"
	"github.com/stretchr/testify/require"

	"tributary/shared/access"
	"tributary/shared/broker"
	"tributary/shared/settings"
	"tributary/shared/telemetry"
)

// probing serves checks and returns a function that requests /readyz.
func probing(t *testing.T, checks []telemetry.Check) func() (bool, map[string]string) {
	t.Helper()
	s, err := telemetry.Listen(t.Context(), "127.0.0.1:0", prometheus.NewRegistry(), checks...)
	require.NoError(t, err)
	ctx, stop := context.WithCancel(t.Context())
	served := make(chan error, 1)
	go func() { served <- s.Serve(ctx) }()
	t.Cleanup(func() { stop(); require.NoError(t, <-served) })
	return func() (bool, map[string]string) {
		req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://"+s.Addr()+"/readyz", nil)
		require.NoError(t, err)
		req.Close = true
		resp, err := http.DefaultClient.Do(req)
		require.NoError(t, err)
		defer resp.Body.Close()
		var answer struct {
			Ready  bool              `json:"ready"`
			Checks map[string]string `json:"checks"`
		}
		require.NoError(t, json.NewDecoder(resp.Body).Decode(&answer))
		require.Equal(t, answer.Ready, resp.StatusCode == http.StatusOK)
		return answer.Ready, answer.Checks
	}
}

// becomes waits until /readyz names exactly the failing parts.
func becomes(t *testing.T, ask func() (bool, map[string]string), failing ...string) {
	t.Helper()
	var checks map[string]string
	late := time.After(time.Minute)
	for {
		var ready bool
		ready, checks = ask()
		same := ready == (len(failing) == 0)
		named := map[string]bool{}
		for _, name := range failing {
			named[name] = true
		}
		for name, said := range checks {
			same = same && named[name] == (said != "ok")
		}
		if same {
			return
		}
		select {
		case <-late:
			require.Fail(t, "not so", "%v are to fail: %v", failing, checks)
		case <-time.After(50 * time.Millisecond):
		}
	}
}

// A program is ready exactly when everything that it needs can be used. Otherwise it
// names what cannot be used.
func TestReadyNamesWhatFails(t *testing.T) {
	s := servers(t)
	dir, temp := filepath.Join(t.TempDir(), "blobs"), filepath.Join(t.TempDir(), "temp")
	require.NoError(t, os.Mkdir(temp, 0o700))
	t.Setenv("TMPDIR", temp)
	s.Blobs = access.Address("dir:" + dir)
	var ready settings.Ready
	coordinator, worker := probing(t, ready.Coordinator()), probing(t, ready.Worker())
	becomes(t, coordinator, "nats", "streams", "jobs", "leases", "redis", "blobs")
	o, err := s.Open(t.Context(), "test", zerolog.Nop())
	require.NoError(t, err)
	defer o.Close()
	ready.Set(o)
	becomes(t, coordinator)
	becomes(t, worker)

	nc, err := nats.Connect("", nats.InProcessServer(s.NATS.InProcess))
	require.NoError(t, err)
	defer nc.Close()
	js, err := jetstream.New(nc)
	require.NoError(t, err)
	for stream, failing := range map[string][]string{
		broker.TaskStream:          {"streams"},
		"KV_" + broker.JobBucket:   {"streams", "jobs"},
		"KV_" + broker.LeaseBucket: {"streams", "leases"},
	} {
		require.NoError(t, js.DeleteStream(t.Context(), stream))
		becomes(t, coordinator, failing...)
		if stream == broker.TaskStream {
			becomes(t, worker, "tasks")
		}
		require.NoError(t, o.Conn.Setup(t.Context(), broker.SetupConfig{}))
		becomes(t, coordinator)
	}

	require.NoError(t, os.Remove(temp))
	becomes(t, coordinator, "temp")
	becomes(t, worker)
	require.NoError(t, os.Mkdir(temp, 0o700))
	becomes(t, coordinator)
	left, err := os.ReadDir(temp)
	require.NoError(t, err)
	require.Empty(t, left)

	moved := dir + "-moved"
	require.NoError(t, os.Rename(dir, moved))
	require.NoError(t, os.WriteFile(dir, nil, 0o600)) // a file in its place
	becomes(t, coordinator, "blobs")
	becomes(t, worker, "blobs")
	require.NoError(t, os.Remove(dir))
	require.NoError(t, os.Mkdir(dir, 0o700)) // an empty folder, as when a volume is not mounted
	becomes(t, coordinator, "blobs")
	becomes(t, worker, "blobs")
	require.NoError(t, os.Remove(dir)) // the folder was removed: it is created again
	becomes(t, coordinator)
	becomes(t, worker)
	require.DirExists(t, filepath.Join(dir, "tmp"))

	// The checks leave no records behind that would appear in a list of jobs.
	for e, err := range o.Conn.Records().All(t.Context()) {
		require.NoError(t, err)
		require.Empty(t, e)
	}
}
