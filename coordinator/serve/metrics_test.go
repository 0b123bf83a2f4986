package serve

import (
	"context"
	"errors"
	"os"
	"regexp"
	"testing"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/stretchr/testify/require"

	"tributary/coordinator/run"
	"tributary/shared/telemetry"
)

// gathered returns the values of the metrics without labels, by name, and the names of all.
func gathered(t *testing.T, m prometheus.Gatherer) (values map[string]float64, names map[string]bool) {
	t.Helper()
	families, err := m.Gather()
	require.NoError(t, err)
	values, names = map[string]float64{}, map[string]bool{}
	for _, f := range families {
		names[f.GetName()] = true
		values[f.GetName()] = f.GetMetric()[0].GetGauge().GetValue()
	}
	return values, names
}

// The page about monitoring lists exactly the coordinator's metrics.
func TestThePageHasTheMetrics(t *testing.T) {
	m := telemetry.NewMetrics("coordinator", "n", "k")
	run.New(run.Config{}).Measure(m)
	(&depths{}).measure(m)
	_, names := gathered(t, m)
	page, err := os.ReadFile("../../deployments/monitoring/README.md")
	require.NoError(t, err)
	present := map[string]bool{}
	for _, name := range regexp.MustCompile(`tributary_coordinator_[a-z_]+`).FindAllString(string(page), -1) {
		require.True(t, names[name], name)
		present[name] = true
	}
	for name := range names {
		if regexp.MustCompile(`^tributary_coordinator_`).MatchString(name) {
			require.True(t, present[name], name)
		}
	}
}

func TestDepthsAreNotKnownWhileTheStreamsAreAway(t *testing.T) {
	var fault error
	d := &depths{read: func(context.Context) (tasks, dead uint64, err error) { return 7, 2, fault }}
	m := telemetry.NewMetrics("coordinator", "n", "k")
	d.measure(m)
	values, _ := gathered(t, m)
	require.NotEqual(t, values["tributary_coordinator_dead_letters"], values["tributary_coordinator_dead_letters"], "NaN")
	d.refresh(t.Context())
	values, _ = gathered(t, m)
	require.InDelta(t, 7, values["tributary_coordinator_tasks_queued"], 0)
	require.InDelta(t, 2, values["tributary_coordinator_dead_letters"], 0)
	fault = errors.New("away")
	d.refresh(t.Context())
	values, _ = gathered(t, m)
	require.NotEqual(t, values["tributary_coordinator_tasks_queued"], values["tributary_coordinator_tasks_queued"], "NaN")
}
