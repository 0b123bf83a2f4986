package run

import "tributary/shared/telemetry"

// Measure registers the service's gauges with the program's metrics.
func (s *Service) Measure(m *telemetry.Metrics) {
	m.GaugeFunc("jobs", "Jobs this coordinator drives.", func() (float64, bool) {
		s.mu.Lock()
		defer s.mu.Unlock()
		return float64(len(s.jobs)), true
	})
	m.GaugeFunc("workers", "Workers that sent a heartbeat lately.", func() (float64, bool) {
		return float64(s.workers()), true
	})
	s.census.measure(m, s.cfg.Volatile)
	s.steps = m.Counter("steps_total", "Steps committed in jobs this coordinator drove.").WithLabelValues()
}
