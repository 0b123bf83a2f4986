package run

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"tributary/shared/job"
	"tributary/shared/telemetry"
)

func TestTheCensusCountsJobsByTheirRecords(t *testing.T) {
	c := newCensus()
	m := telemetry.NewMetrics("coordinator", "n", "k")
	c.measure(m, false)
	now := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	began, saved := now.Add(-time.Hour), now.Add(-time.Minute)
	r := func(id job.ID, s job.State, message string) job.Record {
		return job.Record{ID: id, Run: "r", State: s, Message: message, Started: &began}
	}
	_, known := c.unsaved(now)
	require.False(t, known)
	c.record(r("old", job.Failed, "")) // it ended before this coordinator was there
	c.record(r("a", job.Submitted, ""))
	c.record(r("b", job.Running, "no worker is present"))
	c.record(r("p", job.Paused, "an old message"))
	check := func(want map[string]float64) {
		t.Helper()
		families, err := m.Gather()
		require.NoError(t, err)
		got := map[string]float64{}
		for _, f := range families {
			for _, v := range f.GetMetric() {
				if len(v.GetLabel()) == 1 && v.GetLabel()[0].GetName() == "state" {
					if n := v.GetGauge().GetValue() + v.GetCounter().GetValue(); n != 0 {
						got[v.GetLabel()[0].GetValue()] = n
					}
				}
			}
			if f.GetName() == "tributary_coordinator_jobs_waiting" {
				got["waiting"] = f.GetMetric()[0].GetGauge().GetValue()
			}
		}
		require.Equal(t, want, got)
	}
	check(map[string]float64{"submitted": 1, "running": 1, "paused": 1, "waiting": 1})
	age, _ := c.unsaved(now)
	require.InDelta(t, 3600, age, 0, "since its start")
	b := r("b", job.Running, "")
	b.Checkpoints = []job.Checkpoint{{Time: saved}, {Time: began}}
	c.record(b)
	age, _ = c.unsaved(now)
	require.InDelta(t, 60, age, 0, "since its newest checkpoint")
	b.State = job.Failed
	c.record(b)
	c.record(b) // again, as when its training state is deleted
	c.record(r("a", job.Preparing, ""))
	check(map[string]float64{"preparing": 1, "paused": 1, "failed": 1, "waiting": 0})
	c.forget(job.Ref{Job: "p", Run: "r"})
	b.State = job.Running // resumed
	c.record(b)
	check(map[string]float64{"preparing": 1, "running": 1, "failed": 1, "waiting": 0})
}
