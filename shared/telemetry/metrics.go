package telemetry

import (
	"math"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"

	"tributary/shared/job"
	"tributary/shared/telemetry/build"
)

// Namespace is the prefix of all of Tributary's metrics.
const Namespace = "tributary"

// Latencies are histogram bounds in seconds: three per decade, from 50 µs (a round trip
// over the loopback) to 100 s (a long task).
var Latencies = []float64{
	50e-6, 100e-6, 200e-6, 500e-6, 1e-3, 2e-3, 5e-3, 10e-3, 20e-3, 50e-3,
	0.1, 0.2, 0.5, 1, 2, 5, 10, 20, 50, 100,
}

// Version returns the version of the running program.
func Version() string { return build.Version() }

// Metrics creates a program's metrics in one registry. Each is named
// tributary_<program>_<name>. The program calls the methods while it starts. They panic
// when a name is used twice, as prometheus does.
type Metrics struct {
	*prometheus.Registry
	program string
}

// NewMetrics returns a registry with the metrics of the Go runtime and of the process,
// and with tributary_build_info. The labels of the latter are the version, the
// arithmetic, and the instruction set of the kernels that compute it.
func NewMetrics(program string, numerics job.Numerics, kernels string) *Metrics {
	m := &Metrics{prometheus.NewRegistry(), program}
	running := build.Read()
	info := prometheus.NewGaugeFunc(prometheus.GaugeOpts{
		Namespace: Namespace, Name: "build_info",
		Help: "Always 1; the labels say what is running.",
		ConstLabels: prometheus.Labels{
			"program": program, "version": running.Program, "go": running.Go, "numerics": string(numerics), "kernels": kernels,
		},
	}, func() float64 { return 1 })
	m.MustRegister(info, collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	return m
}

// Counter creates a counter; its name must end in _total.
func (m *Metrics) Counter(name, help string, labels ...string) *prometheus.CounterVec {
	return register(m, prometheus.NewCounterVec(prometheus.CounterOpts(m.opts(name, help)), labels))
}

// Gauge creates a gauge that the program sets.
func (m *Metrics) Gauge(name, help string, labels ...string) *prometheus.GaugeVec {
	return register(m, prometheus.NewGaugeVec(prometheus.GaugeOpts(m.opts(name, help)), labels))
}

// GaugeFunc creates a gauge that calls read on every scrape. read must be fast and safe
// for concurrent use. If known is false, the gauge is NaN.
func (m *Metrics) GaugeFunc(name, help string, read func() (value float64, known bool)) {
	m.MustRegister(prometheus.NewGaugeFunc(prometheus.GaugeOpts(m.opts(name, help)), func() float64 {
		if v, known := read(); known {
			return v
		}
		return math.NaN()
	}))
}

// GaugesFunc creates one gauge for each value of a label. Each calls read as GaugeFunc
// does.
func (m *Metrics) GaugesFunc(name, help, label string, values []string, read func(value string) (n float64, known bool)) {
	for _, value := range values {
		opts := m.opts(name, help)
		opts.ConstLabels = prometheus.Labels{label: value}
		m.MustRegister(prometheus.NewGaugeFunc(prometheus.GaugeOpts(opts), func() float64 {
			if v, known := read(value); known {
				return v
			}
			return math.NaN()
		}))
	}
}

// Seconds creates a histogram of durations in seconds; its name must end in _seconds.
func (m *Metrics) Seconds(name, help string, labels ...string) *prometheus.HistogramVec {
	return register(m, prometheus.NewHistogramVec(prometheus.HistogramOpts{
		Namespace: Namespace, Subsystem: m.program, Name: name, Help: help, Buckets: Latencies,
	}, labels))
}

func (m *Metrics) opts(name, help string) prometheus.Opts {
	return prometheus.Opts{Namespace: Namespace, Subsystem: m.program, Name: name, Help: help}
}

func register[C prometheus.Collector](m *Metrics, c C) C {
	m.MustRegister(c)
	return c
}
