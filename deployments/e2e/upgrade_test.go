//go:build e2e

package e2e

import (
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/nats-io/nats.go"
	"github.com/stretchr/testify/require"

	"tributary/deployments/e2e/programs"
	"tributary/shared/job"
	"tributary/shared/ledger/redis/redistest"
	"tributary/shared/notice"
	"tributary/shared/plan"
	worker "tributary/worker/serve"
)

// oldVersion is the last commit whose programs know neither capabilities nor classes.
const oldVersion = "48f78c4"

// TestTwoVersionsInOneFleet runs a worker process of an old version next to programs of
// this version, as in the middle of a rolling upgrade. This version has a new operation.
// The plan of a job that uses it has version 2, which is poison to the old program.
func TestTwoVersionsInOneFleet(t *testing.T) {
	before := plan.Operations
	plan.Operations = []plan.Operation{{Capability: "novelty", Used: func(s *job.Spec) bool { return s.Name == "novel" }}}
	t.Cleanup(func() { plan.Operations = before })
	path := programs.Older(t, oldVersion)
	redis := redistest.Start(t)
	require.NotNil(t, redis, "redis-server is not in PATH")
	w := newWorld(t, redis.URL)
	data, err := filepath.Abs(filepath.Join(programs.Root, "deployments/data"))
	require.NoError(t, err)
	w.roots = []string{data}
	var failures atomic.Int64
	_, err = w.nc.Subscribe("tributary.failure.>", func(*nats.Msg) { failures.Add(1) })
	require.NoError(t, err)
	w.coordinate("")
	old := programs.Worker(t, path, w.url, w.redis)

	// The old worker alone computes what it knows, and gets no task for what it does not
	// know.
	w.submit(long("plain", 2000))
	w.follow("plain").succeeded(reference(t, long("plain", 2000)))
	alone := old.Attempts(t)
	require.Positive(t, alone["ok"])
	novel := strings.Replace(long("novel", 2000), "name: long", "name: novel", 1)
	w.submit(novel)
	events := w.follow("novel")
	e := events.until("the job to wait", func(e notice.Event) bool { return e.Type == notice.WaitingEvent })
	require.Regexp(t, `^waiting: the job needs novelty; none of the 1 workers present \(1 of .+\) knows it$`, e.Message)
	require.Equal(t, []job.Capability{"novelty"}, w.record("novel").Capabilities)

	// A worker of this version joins. It computes the job, to the same bits.
	joined := programs.MemberAt(programs.Address(t))
	w.program((&worker.Command{
		Log: logs(), Stores: w.stores(w.url), Slots: 1, BlockCache: 64, ReplicaCache: 64, ModelCache: 64, HTTP: joined.Address(),
	}).Run)
	events.succeeded(reference(t, novel))
	require.Equal(t, alone, old.Attempts(t), "the old worker has taken no task of it")
	for _, e := range events.told {
		require.NotEqual(t, notice.ErrorEvent, e.Type, e.Message)
	}

	// Both compute the jobs that both know, to the same bits as always.
	text, err := os.ReadFile(filepath.Join(programs.Root, "deployments/jobs/digits.yaml"))
	require.NoError(t, err)
	digests, err := os.ReadFile(filepath.Join(programs.Root, "deployments/jobs/DIGESTS"))
	require.NoError(t, err)
	first := joined.Attempts(t)
	tookPart := func() bool {
		return old.Attempts(t)["ok"] > alone["ok"] && joined.Attempts(t)["ok"] > first["ok"]
	}
	for range 20 { // the job is short: if one process stops for a moment, the other does all of it
		end := w.follow(w.submit(strings.Replace(string(text), "deployments/data", data, 1))).end()
		require.Equal(t, job.Succeeded, end.State, end.Message)
		require.Contains(t, string(digests), string(end.Outcome.ParametersSHA256)+"  digits.yaml\n")
		if tookPart() {
			break
		}
	}
	require.True(t, tookPart(), "both have taken part: the old worker %v, the new one %v", old.Attempts(t), joined.Attempts(t))

	require.Zero(t, failures.Load(), "no attempt has failed")
	for _, m := range []programs.Member{old, joined} {
		for outcome, n := range m.Attempts(t) {
			require.Contains(t, []string{job.ClassOf(nil), job.ClassOf(job.ErrStale)}, outcome, "%d attempts", n)
		}
	}
	t.Logf("attempts of the old worker %v, of the new one %v", old.Attempts(t), joined.Attempts(t))
}
