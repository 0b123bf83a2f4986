package sizing_test

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/alecthomas/kong"
	goredis "github.com/redis/go-redis/v9"
	"github.com/rs/zerolog"
	"github.com/stretchr/testify/require"

	"tributary/coordinator/capacity"
	"tributary/coordinator/sizing"
	"tributary/shared/ledger/redis/redistest"
)

func TestMain(m *testing.M) {
	if err := os.Chdir("../.."); err != nil { // specs name their data relative to the repository's folder
		panic(err)
	}
	m.Run()
}

func parse(t *testing.T, args ...string) (*sizing.Command, error) {
	t.Helper()
	var c sizing.Command
	k, err := kong.New(&c)
	require.NoError(t, err)
	_, err = k.Parse(args)
	return &c, err
}

func plan(t *testing.T, args ...string) (string, sizing.Plan) {
	t.Helper()
	c, err := parse(t, append(args, "--budget", "10ms")...)
	require.NoError(t, err)
	var out bytes.Buffer
	require.NoError(t, sizing.Measure(c, t.Context(), &out, zerolog.Nop()))
	lines := strings.Split(strings.TrimSpace(out.String()), "\n")
	var p sizing.Plan
	require.NoError(t, json.Unmarshal([]byte(lines[len(lines)-1]), &p), "the last line is JSON")
	return out.String(), p
}

func TestPlan(t *testing.T) {
	text, p := plan(t, "deployments/jobs/digits.yaml", "--workers", "6", "--slots", "2", "--bandwidth", "1Gbps", "--step-overhead", "1ms")
	require.Equal(t, 2, p.Slots)
	require.InDelta(t, 1e9, p.Network.Bandwidth, 0)
	var workers []int
	for _, s := range p.Steps {
		workers = append(workers, s.Workers)
		require.Equal(t, s, capacity.Predict(p.Job, p.Costs, p.Network, s.Workers))
	}
	require.Equal(t, []int{1, 2, 4, 6}, workers)
	for name, cost := range map[string]float64{
		"microbatch": p.Costs.Microbatch, "fold": p.Costs.Fold, "add": p.Costs.Add,
		"put": p.Costs.Put, "get": p.Costs.Get, "shared put": p.Costs.SharedPut, "shared get": p.Costs.SharedGet,
	} {
		require.Positive(t, cost, name)
		require.Less(t, cost, 1.0, name)
	}
	require.InDelta(t, 1e-3, p.Costs.Queue, 0)
	require.Contains(t, text, "samples/s")
}

// The sample has fewer steps than the job, and may have fewer than the warm-up.
func TestAWarmUpLongerThanTheSample(t *testing.T) {
	text, err := os.ReadFile("deployments/jobs/digits-schedule.yaml")
	require.NoError(t, err)
	long := strings.Replace(string(text), "warmup_steps: 50", "warmup_steps: 150", 1)
	require.NotEqual(t, string(text), long)
	path := filepath.Join(t.TempDir(), "long.yaml")
	require.NoError(t, os.WriteFile(path, []byte(long), 0o600))
	_, p := plan(t, path)
	require.Positive(t, p.Costs.Microbatch)
}

func TestPlanOnARealRedisLeavesNothing(t *testing.T) {
	server := redistest.Start(t)
	require.NotNil(t, server, "redis-server is not in PATH")
	_, p := plan(t, "deployments/jobs/line.json", "--redis", server.URL)
	require.Positive(t, p.Costs.Put)
	client := goredis.NewClient(&goredis.Options{Addr: server.Addr})
	defer client.Close()
	keys, err := client.Keys(t.Context(), "*").Result()
	require.NoError(t, err)
	require.Empty(t, keys)
}

func TestSettingsThatCannotBeMeant(t *testing.T) {
	for flag, want := range map[string]string{
		"--workers=0":             "--workers: 0: want 1 to 4096",
		"--slots=5000":            "--slots: 5000: want 1 to 4096",
		"--bandwidth=10":          `--bandwidth: "10": want a number`,
		"--bandwidth=10GB/s":      `"10GB/s": want a number`,
		"--step-overhead=-1s":     "--step-overhead: -1s: want 0s to 1m",
		"--task-overhead=2m":      "--task-overhead: 2m0s: want 0s to 1m",
		"--budget=1ns":            "--budget: 1ns: want 10ms to 1m",
		"--step-overhead=forever": "--step-overhead",
	} {
		_, err := parse(t, "deployments/jobs/line.json", flag)
		require.ErrorContains(t, err, want, flag)
	}
}

func TestAFileThatIsNotThere(t *testing.T) {
	c, err := parse(t, "nowhere.yaml")
	require.NoError(t, err)
	c.Budget = 10 * time.Millisecond
	require.ErrorContains(t, sizing.Measure(c, t.Context(), &bytes.Buffer{}, zerolog.Nop()), "read spec")
}
