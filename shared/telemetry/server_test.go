package telemetry

import (
	"context"
	"errors"
	"io"
	"net/http"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"tributary/shared/job"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// get fetches a page without keeping the connection.
func get(t *testing.T, url string) (status int, body string) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url, nil)
	require.NoError(t, err)
	req.Close = true
	resp, err := http.DefaultClient.Do(req)
	require.NoError(t, err)
	defer resp.Body.Close()
	data, err := io.ReadAll(resp.Body)
	require.NoError(t, err)
	return resp.StatusCode, string(data)
}

func TestServer(t *testing.T) {
	m := NewMetrics("worker", job.Numerics("fp-1"), "avx2")
	m.Counter("tasks_total", "Tasks.", "outcome").WithLabelValues("done").Add(3)
	m.Gauge("slots", "Slots.").WithLabelValues().Set(2)
	m.Seconds("task_seconds", "Time per task.").WithLabelValues().Observe(0.003)
	m.GaugeFunc("cache_bytes", "Bytes.", func() (float64, bool) { return 7, true })
	m.GaugeFunc("lag_steps", "Unknown.", func() (float64, bool) { return 0, false })

	var down atomic.Bool
	checks := []Check{
		{Name: "nats", Ask: func(context.Context) error { return nil }},
		{Name: "redis", Ask: func(ctx context.Context) error {
			if down.Load() {
				return errors.New("connection refused")
			}
			return ctx.Err()
		}},
	}
	s, err := Listen(t.Context(), "127.0.0.1:0", m, checks...)
	require.NoError(t, err)
	s.Handle("GET /extra", http.NotFoundHandler())
	_, err = Listen(t.Context(), s.Addr(), m)
	require.ErrorContains(t, err, "listen for health and metrics")

	ctx, stop := context.WithCancel(t.Context())
	served := make(chan error, 1)
	go func() { served <- s.Serve(ctx) }()
	base := "http://" + s.Addr()

	status, body := get(t, base+"/healthz")
	require.Equal(t, http.StatusOK, status)
	require.Equal(t, "ok\n", body)

	status, body = get(t, base+"/readyz")
	require.Equal(t, http.StatusOK, status)
	require.JSONEq(t, `{"ready":true,"checks":{"nats":"ok","redis":"ok"}}`, body)
	check := HealthcheckCommand{HTTP: s.Addr()}
	require.NoError(t, check.Run())
	down.Store(true)
	require.ErrorContains(t, check.Run(), "connection refused")
	status, body = get(t, base+"/readyz")
	require.Equal(t, http.StatusServiceUnavailable, status)
	require.JSONEq(t, `{"ready":false,"checks":{"nats":"ok","redis":"connection refused"}}`, body)

	status, body = get(t, base+"/metrics")
	require.Equal(t, http.StatusOK, status)
	for _, want := range []string{
		`tributary_worker_tasks_total{outcome="done"} 3`,
		"tributary_worker_slots 2", "tributary_worker_cache_bytes 7", "tributary_worker_lag_steps NaN",
		`tributary_worker_task_seconds_bucket{le="0.005"} 1`, `tributary_worker_task_seconds_bucket{le="0.002"} 0`,
		`kernels="avx2",numerics="fp-1",program="worker",version="`, "go_goroutines ", "process_open_fds ",
	} {
		require.Contains(t, body, want)
	}
	status, _ = get(t, base+"/debug/pprof")
	require.Equal(t, http.StatusNotFound, status)

	stop()
	require.NoError(t, <-served)
}
