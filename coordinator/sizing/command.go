// Package sizing is the plan command: it predicts how fast a job would be with a number
// of workers, and how many workers help.
//
// It owns the short measurements on this machine (gradients of the spec's shape, vectors
// in and out of Redis) and the table. It leaves the formulas to package capacity. The
// coordinator's main package runs it.
//
// Invariant: the last line on standard output is the whole result as JSON. No trace of
// the job or of the measurement remains.
package sizing

import (
	"context"
	"fmt"
	"io"
	"os"
	"time"

	"github.com/rs/zerolog"

	"tributary/coordinator/capacity"
	"tributary/coordinator/ingest"
	"tributary/shared/access"
	"tributary/shared/job"
	"tributary/shared/lifecycle"
	"tributary/shared/numeric/isa"
	"tributary/shared/readable"
	"tributary/shared/settings"
)

// Command is the plan command's settings.
type Command struct {
	Spec      string                 `arg:"" type:"path" help:"The job's spec, YAML or JSON; - reads standard input."`
	Workers   int                    `name:"workers" default:"16" help:"Workers to plan for, 1 to 4096."`
	Slots     int                    `name:"slots" default:"1" help:"Slots of each worker, 1 to 4096. A worker computes its task with one thread a slot; the measurement uses as many threads on this machine."`
	Bandwidth capacity.BitsPerSecond `name:"bandwidth" default:"10Gbps" help:"Bandwidth of each worker's link and of Redis's link, in bits per second for each direction, 1kbps to 1000Tbps."`
	Redis     access.URL             `name:"redis" placeholder:"URL" help:"Measure with this Redis server; default: an embedded one, which is slower than a real one."`
	Overhead  time.Duration          `name:"step-overhead" default:"130us" help:"Time that a step of one task takes besides computing and moving vectors, 0s to 1m: planning, queue, announcements. The default was measured with real servers on one machine."`
	Task      time.Duration          `name:"task-overhead" default:"300us" help:"Time that every further task of a step adds to --step-overhead, 0s to 1m."`
	Budget    time.Duration          `name:"budget" default:"1s" help:"Time for each of the three measurements, 10ms to 1m."`
	Login     settings.RedisLogin    `embed:""`
	Level     string                 `name:"log-level" default:"warn" enum:"trace,debug,info,warn,error,disabled" help:"Lowest severity that the program logs: trace, debug, info, warn, error or disabled."`

	// Outside reads sources outside of files, such as databases; nil: they are not read.
	Outside ingest.Outside `kong:"-"`
}

// Validate checks the flags; kong calls it.
func (c *Command) Validate() error {
	switch {
	case c.Workers < 1 || c.Workers > 4096:
		return fmt.Errorf("--workers: %d: want 1 to 4096", c.Workers)
	case c.Slots < 1 || c.Slots > 4096:
		return fmt.Errorf("--slots: %d: want 1 to 4096", c.Slots)
	case c.Overhead < 0 || c.Overhead > time.Minute:
		return fmt.Errorf("--step-overhead: %s: want 0s to 1m", c.Overhead)
	case c.Task < 0 || c.Task > time.Minute:
		return fmt.Errorf("--task-overhead: %s: want 0s to 1m", c.Task)
	case c.Budget < 10*time.Millisecond || c.Budget > time.Minute:
		return fmt.Errorf("--budget: %s: want 10ms to 1m", c.Budget)
	}
	return nil
}

// Plan is the result, as JSON.
type Plan struct {
	Job     capacity.Job     `json:"job"`
	Costs   capacity.Costs   `json:"costs"` // seconds
	Network capacity.Network `json:"network"`
	Slots   int              `json:"slots"`
	Steps   []capacity.Step  `json:"steps"` // for 1, 2, 4, … workers
	Useful  int              `json:"useful_workers"`
	Bound   capacity.Bound   `json:"limited_by"`
}

// Run measures and prints the plan.
func (c *Command) Run(ctx lifecycle.Contexts) error {
	if err := isa.Err(); err != nil {
		return err
	}
	log, err := settings.Log{Level: c.Level, Format: "pretty"}.LoggerTo(os.Stderr, false, "")
	if err != nil {
		return err
	}
	return c.plan(ctx.Soft, os.Stdout, log)
}

func (c *Command) plan(ctx context.Context, out io.Writer, log zerolog.Logger) error {
	server := settings.Redis{URL: c.Redis, RedisLogin: c.Login}
	if c.Redis != "" {
		if err := server.Config(log).Check(); err != nil {
			return err
		}
	}
	sample, err := c.sample(ctx)
	if err != nil {
		return err
	}
	p := &Plan{Slots: c.Slots, Network: capacity.Network{Bandwidth: float64(c.Bandwidth)}}
	spec := &sample.engine.Plan.Spec
	lay := sample.engine.Layout(job.Ref{})
	p.Job = capacity.Job{Params: lay.Params, Chunks: lay.Chunks(), Batch: min(spec.Batch, sample.rows), Microbatches: spec.Microbatches, Vectors: sample.engine.Vectors(), Wire: lay.Wire}
	p.Costs.Queue, p.Costs.Task = c.Overhead.Seconds(), c.Task.Seconds()
	if err := sample.compute(ctx, &p.Costs, c.Slots, c.Budget); err != nil {
		return fmt.Errorf("measure gradients: %w", err)
	}
	if err := c.moving(ctx, server, sample.engine.Layout, &p.Costs, log); err != nil {
		return fmt.Errorf("measure Redis: %w", err)
	}
	limit, bound := capacity.Limit(p.Job, p.Costs, p.Network, c.Workers)
	p.Useful, p.Bound = limit.Workers, bound
	for w := 1; w < c.Workers; w *= 2 {
		p.Steps = append(p.Steps, capacity.Predict(p.Job, p.Costs, p.Network, w))
	}
	p.Steps = append(p.Steps, capacity.Predict(p.Job, p.Costs, p.Network, c.Workers))
	if err := c.print(out, p); err != nil {
		return err
	}
	return readable.Print(out, p)
}
