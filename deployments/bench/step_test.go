package bench

import (
	"encoding/json"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"tributary/deployments/e2e/programs"
)

func TestMain(m *testing.M) { programs.Main(m) }

// BenchmarkStep measures a step of a model with ten parameters, so the time is nearly all
// overhead. Two worker processes compute the step through a real nats-server and a real
// redis-server.
func BenchmarkStep(b *testing.B) {
	s := programs.StartServers(b)
	s.Worker(b, 1)
	s.Worker(b, 1)
	x, y := make([][]float64, 4), make([]float64, 4)
	for i := range x {
		for j := range 9 {
			x[i] = append(x[i], float64((3*i+5*j)%7)/7)
		}
		y[i] = float64(i)
	}
	spec, err := json.Marshal(map[string]any{
		"name": "tiny", "loss": "mse", "batch": 4, "microbatches": 2, "steps": max(b.N, 10),
		"data":      map[string]any{"inline": map[string]any{"x": x, "y": y}},
		"model":     map[string]any{"layers": []any{map[string]any{"dense": map[string]any{"units": 1}}}},
		"optimizer": map[string]any{"sgd": map[string]any{"learning_rate": 0.01}},
	})
	require.NoError(b, err)
	path := filepath.Join(b.TempDir(), "tiny.json")
	require.NoError(b, os.WriteFile(path, spec, 0o644))
	o := programs.Train(b.Context(), b, path, "--nats", s.NATS, "--redis", s.Redis, "--workers", "0", "--share", "always")
	b.ReportMetric(o.Seconds*1000/float64(o.Steps), "ms/step")
	b.ReportMetric(0, "ns/op") // this would be the start-up time of servers and programs
}
