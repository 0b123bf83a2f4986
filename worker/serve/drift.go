package serve

import (
	"github.com/prometheus/client_golang/prometheus"

	"tributary/shared/job"
	"tributary/shared/telemetry"
)

// drift counts in metrics how the rows of requests compare with the training rows.
type drift struct {
	rows, unseen, outside *prometheus.CounterVec
	psi                   *prometheus.GaugeVec
}

func newDrift(m *telemetry.Metrics) *drift {
	return &drift{
		rows:    m.Counter("predicted_rows_total", "Rows of requests for predictions that were compared with the training rows.", "model"),
		unseen:  m.Counter("drift_unseen_total", "Values of predicted rows that are categories that no training row has.", "model"),
		outside: m.Counter("drift_out_of_range_total", "Values of predicted rows that are outside the range of the training rows.", "model"),
		psi:     m.Gauge("drift_psi", "The largest population stability index of a column, over the rows since the model was read.", "model"),
	}
}

// Rows implements predict.Drift.
func (d *drift) Rows(model job.ID, rows, unseen, outside int64) {
	d.rows.WithLabelValues(string(model)).Add(float64(rows))
	d.unseen.WithLabelValues(string(model)).Add(float64(unseen))
	d.outside.WithLabelValues(string(model)).Add(float64(outside))
}

// PSI implements predict.Drift.
func (d *drift) PSI(model job.ID, largest float64) { d.psi.WithLabelValues(string(model)).Set(largest) }

// Gone implements predict.Drift: models that the process has dropped take no series.
func (d *drift) Gone(model job.ID) {
	for _, v := range []interface{ DeleteLabelValues(...string) bool }{d.rows, d.unseen, d.outside, d.psi} {
		v.DeleteLabelValues(string(model))
	}
}
