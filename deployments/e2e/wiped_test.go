//go:build e2e

package e2e

import (
	"encoding/json"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	goredis "github.com/redis/go-redis/v9"
	"github.com/stretchr/testify/require"

	"tributary/deployments/e2e/programs"
	"tributary/shared/job"
	"tributary/shared/notice"
)

// commits counts how often each step was announced as committed.
type commits struct {
	mu    sync.Mutex
	steps map[int64]int
}

func (c client) commits() *commits {
	c.t.Helper()
	all := &commits{steps: map[int64]int{}}
	sub, err := c.nc.Subscribe("tributary.commit.*", func(m *nats.Msg) {
		var n notice.Commit
		if json.Unmarshal(m.Data, &n) == nil && n.Committed == n.Step+1 {
			all.mu.Lock()
			defer all.mu.Unlock()
			all.steps[n.Step]++
		}
	})
	require.NoError(c.t, err)
	c.t.Cleanup(func() { _ = sub.Unsubscribe() })
	require.NoError(c.t, c.nc.Flush())
	return all
}

// once resets the counts of the steps so far to one: a worker whose task comes too late
// announces its step again.
func (a *commits) once() {
	a.mu.Lock()
	defer a.mu.Unlock()
	for step := range a.steps {
		a.steps[step] = 1
	}
}

// again returns the first step that was committed twice, and how many such steps there
// are.
func (a *commits) again() (least int64, steps int) {
	a.mu.Lock()
	defer a.mu.Unlock()
	least = 1 << 62
	for step, n := range a.steps {
		if n > 1 {
			least, steps = min(least, step), steps+1
		}
	}
	return least, steps
}

// TestRedisIsWiped makes Redis lose all data in the middle of a job.
func TestRedisIsWiped(t *testing.T) {
	path := with(t, "deployments/jobs/digits.yaml", "epochs: 300")
	want := plainly(t, path)
	text, err := os.ReadFile(path)
	require.NoError(t, err)
	s := programs.StartServers(t)
	s.Coordinator(t)
	s.Worker(t, 1)
	s.Worker(t, 1)
	c := dial(t, s)
	committed := c.commits()
	var submitted struct{ ID job.ID }
	c.ask("tributary.jobs.submit", string(text)+"\ncheckpoint: {every_steps: 100}\n", &submitted)
	before := c.until(submitted.ID, func(r job.Record) bool { return len(r.Checkpoints) > 0 && r.Checkpoints[0].Step >= 300 })

	options, err := goredis.ParseURL(s.Redis)
	require.NoError(t, err)
	client := goredis.NewClient(options)
	defer client.Close()
	committed.once()
	began := time.Now()
	require.NoError(t, client.FlushAll(t.Context()).Err())
	r := c.until(submitted.ID, func(r job.Record) bool { return r.State == job.Succeeded })
	require.Equal(t, want, r.Outcome.ParametersSHA256, "the digest of the plain loop")
	least, steps := committed.again()
	require.GreaterOrEqual(t, least, before.Checkpoints[0].Step, "no step before the checkpoint is taken again")
	require.Less(t, steps, 300, "and few after it")
	t.Logf("%d steps; wiped after the checkpoint of step %d; %d taken again, the least %d; ended %s later",
		r.Outcome.Steps, before.Checkpoints[0].Step, steps, least, time.Since(began).Round(time.Millisecond))

	// Another job can start from a finished job's last checkpoint.
	require.EqualValues(t, r.Outcome.Steps, r.Checkpoints[0].Step)
	next := strings.Replace(string(text), "init: {scheme: torch_uniform}", "init: {from: job:"+string(submitted.ID)+"}", 1)
	next = strings.Replace(next, "epochs: 300", "epochs: 1", 1)
	var second struct{ ID job.ID }
	c.ask("tributary.jobs.submit", next, &second)
	warm := c.until(second.ID, func(r job.Record) bool { return r.State == job.Succeeded })
	require.Less(t, *warm.Outcome.TrainLoss, 2**r.Outcome.TrainLoss+0.01, "it begins where the other ended")
}
