// Package serve is the worker as a long-running program: settings, connections, health
// and metrics.
//
// It owns how a worker is put together from its parts. What a worker does belongs to
// worker/run and worker/predict. The main function of the worker program runs Command.
//
// Invariant: /readyz reports ready exactly while the worker can take tasks and reach the
// servers that they need.
package serve

import (
	"context"
	"errors"
	"fmt"
	"os"
	"runtime"
	"slices"
	"strconv"
	"time"

	"github.com/alecthomas/kong"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/rs/zerolog"

	"tributary/shared/budget"
	"tributary/shared/job"
	"tributary/shared/lifecycle"
	"tributary/shared/numeric"
	"tributary/shared/numeric/isa"
	"tributary/shared/plan"
	"tributary/shared/settings"
	"tributary/shared/telemetry"
	"tributary/worker/compute"
	"tributary/worker/run"
)

// Command holds the settings of a worker and runs it.
type Command struct {
	Log    settings.Log    `embed:""`
	Stores settings.Stores `embed:""`

	Slots        int    `name:"slots" env:"TRIBUTARY_SLOTS" default:"${cpus}" help:"Gradient tasks that the worker computes at a time, 1 to 4096; default: the number of CPUs."`
	BlockCache   int64  `name:"block-cache" env:"TRIBUTARY_BLOCK_CACHE" default:"512" placeholder:"MIB" help:"Memory for decoded dataset blocks, in MiB, 1 to 16777216; default: 512."`
	ReplicaCache int64  `name:"replica-cache" env:"TRIBUTARY_REPLICA_CACHE" default:"2048" placeholder:"MIB" help:"Memory for parameters and optimizer state of jobs, in MiB, 1 to 16777216; default: 2048; the current job stays in memory even if it is larger."`
	Memory       int64  `name:"memory" env:"TRIBUTARY_MEMORY" default:"0" placeholder:"MIB" help:"Memory of this process, in MiB, 0 to 16777216; 0, the default, takes the lowest of the control group, ulimit, GOMEMLIMIT and the machine's memory. Tasks may use nine tenths of it, minus the caches; the worker leaves larger jobs to other workers. Each cache takes at most a quarter."`
	ModelCache   int64  `name:"model-cache" env:"TRIBUTARY_MODEL_CACHE" default:"512" placeholder:"MIB" help:"Memory for models that answer predictions, in MiB, 1 to 16777216; default: 512."`
	HTTP         string `name:"http" env:"TRIBUTARY_HTTP" default:"${http}" placeholder:"HOST:PORT" help:"Address that serves /healthz, /readyz and /metrics; port 0 takes a free port; default: 127.0.0.1:8081."`
}

// Vars returns the defaults that depend on the machine.
func Vars() kong.Vars { return kong.Vars{"cpus": strconv.Itoa(runtime.GOMAXPROCS(0))} }

// Help returns the text that --help prints after the description of the command.
func (*Command) Help() string { return settings.Arithmetic() }

// Validate checks the bounds of the settings. kong calls it.
func (c *Command) Validate() error {
	for _, s := range []struct {
		name   string
		value  int64
		lo, hi int64
		ofWhat string
	}{
		{"slots", int64(c.Slots), 1, 4096, ""},
		{"block-cache", c.BlockCache, 1, 1 << 24, " MiB"},
		{"replica-cache", c.ReplicaCache, 1, 1 << 24, " MiB"},
		{"model-cache", c.ModelCache, 1, 1 << 24, " MiB"},
		{"memory", c.Memory, 0, 1 << 24, " MiB"},
	} {
		if s.value < s.lo || s.value > s.hi {
			return fmt.Errorf("--%s: %d: want %d to %d%s", s.name, s.value, s.lo, s.hi, s.ofWhat)
		}
	}
	return nil
}

// Run runs the worker until it is stopped.
func (c *Command) Run(ctx lifecycle.Contexts) error {
	log, err := c.Log.Logger("worker")
	if err != nil {
		return err
	}
	if err := errors.Join(isa.Err(), c.Stores.Check()); err != nil {
		return err
	}
	id := settings.NewID()
	log = log.With().Str("worker", id).Logger()
	numerics := job.Numerics(numeric.Fingerprint())
	memory := budget.Find(c.Memory << 20)
	memory.Apply()
	blocks, models := memory.Cache(c.BlockCache<<20), memory.Cache(c.ModelCache<<20)
	metrics := telemetry.NewMetrics("worker", numerics, string(isa.Chosen()))
	metrics.Gauge("memory_bytes", "Memory that jobs and tasks may take in all; 0: not known.").WithLabelValues().Set(float64(memory.Work()))
	answered, drift := predictions(metrics), newDrift(metrics)
	var ready settings.Ready
	health, err := telemetry.Listen(ctx.Soft, c.HTTP, metrics, ready.Worker()...)
	if err != nil {
		return err
	}
	log.Info().Int("slots", c.Slots).Int64("memory", memory.Limit>>20).Str("memory_from", memory.Source).Int64("memory_for_tasks", memory.Work()>>20).Str("numerics", string(numerics)).Str("kernels", string(isa.Chosen())).Str("http", health.Addr()).Msg("worker started")
	defer log.Info().Msg("worker stopped")
	g := lifecycle.NewGroup(ctx.Soft, ctx.Hard)
	g.Background("health", health.Serve)
	g.Work("worker", func(soft, hard context.Context) error {
		stores, err := c.Stores.Open(soft, "tributary worker "+id, log)
		if err != nil {
			return err
		}
		defer stores.Close()
		stop, err := c.answerPredictions(stores, models, answered, drift) //nolint:contextcheck // stop ends it
		if err != nil {
			return err
		}
		defer stop(hard)
		ready.Set(stores)
		cfg := c.config(id, numerics, stores, metrics, log)
		cfg.BlockBytes, cfg.Memory = blocks, memory.Work()
		return run.Run(soft, hard, cfg)
	})
	return g.Wait()
}

func (c *Command) config(id string, n job.Numerics, stores *settings.Opened, m *telemetry.Metrics, log zerolog.Logger) run.Config {
	host, _ := os.Hostname() // for people only; "" is acceptable
	return run.Config{
		ID: id, Host: host, Version: telemetry.Version(), Slots: c.Slots, Numerics: n,
		Queue: stores.Queue(), Ledger: stores.Ledger, Blobs: stores.Blobs, Bus: stores.Conn.Notices(), Records: stores.Conn.Records(),
		ReplicaBytes: c.ReplicaCache << 20, Operations: plan.Capabilities(),
		Taken: taken(m), Observe: observer(m), Time: stopwatch(m), Log: log,
	}
}

// taken returns a function that sets the metric of the memory that tasks take, in bytes.
func taken(m *telemetry.Metrics) func(int64) {
	g := m.Gauge("memory_taken_bytes", "Memory that jobs' programs and tasks' buffers take, as the worker accounts for it.").WithLabelValues()
	return func(bytes int64) { g.Set(float64(bytes)) }
}

// observer returns a function that counts and times attempts at tasks.
func observer(m *telemetry.Metrics) func(job.Task, time.Duration, error) {
	count := m.Counter("tasks_total", "Attempts at tasks, by kind and outcome.", "kind", "outcome")
	took := m.Seconds("task_seconds", "Time from taking a task to having stored its result.", "kind")
	return func(t job.Task, d time.Duration, err error) {
		kind := string(t.Kind)
		if !slices.Contains(job.Kinds, t.Kind) {
			kind = "unknown" // the publisher of a task chooses the word
		}
		count.WithLabelValues(kind, job.ClassOf(err)).Inc()
		took.WithLabelValues(kind).Observe(d.Seconds())
	}
}

// stopwatch returns a Stopwatch that adds up the time of each phase in metrics.
func stopwatch(m *telemetry.Metrics) compute.Stopwatch {
	seconds := m.Counter("phase_seconds_total", "Time of gradient tasks by phase; the phase append runs in parallel with the others.", "phase")
	counts := m.Counter("phases_total", "How often gradient tasks entered the phase.", "phase")
	type totals struct{ seconds, counts prometheus.Counter }
	by := map[compute.Phase]totals{}
	for _, p := range compute.Phases {
		by[p] = totals{seconds.WithLabelValues(string(p)), counts.WithLabelValues(string(p))}
	}
	return func() func(compute.Phase) {
		last := time.Now()
		return func(p compute.Phase) {
			now := time.Now()
			by[p].seconds.Add(now.Sub(last).Seconds())
			by[p].counts.Inc()
			last = now
		}
	}
}
