package serve

import (
	"errors"
	"fmt"
	"os"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"tributary/shared/job"
	"tributary/shared/telemetry"
)

// The worker has each metric that the monitoring page names.
func TestThePageHasTheMetrics(t *testing.T) {
	m := telemetry.NewMetrics("worker", "n", "k")
	observer(m)(job.Task{Kind: job.Gradient}, time.Second, nil)
	stopwatch(m)
	taken(m)(5)
	answered := predictions(m)
	answered(3*time.Millisecond, nil)
	answered(time.Millisecond, fmt.Errorf("rows: %w", job.ErrInvalid))
	answered(time.Millisecond, errors.New("NATS is away"))
	d := newDrift(m)
	d.Rows("m-1", 5, 1, 2)
	d.PSI("m-1", 0.3)
	d.Rows("gone", 5, 1, 2)
	d.Gone("gone")
	families, err := m.Gather()
	require.NoError(t, err)
	names := map[string]bool{"tributary_worker_memory_bytes": true} // Run registers it
	for _, f := range families {
		names[f.GetName()] = true
		if f.GetName() == "tributary_worker_predictions_total" {
			require.Len(t, f.GetMetric(), 4)
			for _, v := range f.GetMetric() {
				want := 1.0
				if v.GetLabel()[0].GetValue() == "not found" {
					want = 0
				}
				require.InDelta(t, want, v.GetCounter().GetValue(), 0, v.GetLabel()[0].GetValue())
			}
		}
		if strings.Contains(f.GetName(), "drift") {
			require.Len(t, f.GetMetric(), 1, "a model that is gone has no series")
		}
		if f.GetName() == "tributary_worker_prediction_seconds" {
			require.EqualValues(t, 3, f.GetMetric()[0].GetHistogram().GetSampleCount())
		}
	}
	page, err := os.ReadFile("../../deployments/monitoring/README.md")
	require.NoError(t, err)
	for _, name := range regexp.MustCompile(`tributary_worker_[a-z_]+`).FindAllString(string(page), -1) {
		require.True(t, names[name], name)
	}
}
