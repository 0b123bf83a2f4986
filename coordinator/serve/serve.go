package serve

import (
	"context"
	"errors"
	"fmt"
	"time"

	"tributary/coordinator/ingest"
	"tributary/coordinator/place"
	"tributary/coordinator/run"
	"tributary/coordinator/verify"
	"tributary/shared/budget"
	"tributary/shared/job"
	"tributary/shared/lifecycle"
	"tributary/shared/numeric"
	"tributary/shared/numeric/isa"
	"tributary/shared/settings"
	"tributary/shared/telemetry"
)

// Command is the serve command's settings.
type Command struct {
	Log    settings.Log    `embed:""`
	Stores settings.Stores `embed:""`

	DataRoots    []string      `name:"data-root" env:"TRIBUTARY_DATA_ROOTS" sep:":" placeholder:"DIR" help:"Folders from which submitted specs may read files. Without one, specs may use only inline data and nats: sources. Colons separate the folders in the environment variable."`
	DataPlaces   []string      `name:"data-place" env:"TRIBUTARY_DATA_PLACES" sep:"," placeholder:"ADDRESS" help:"What submitted specs may read outside of files: https://HOST/PATH and s3://BUCKET/PREFIX with everything below, and the database postgres://USER@HOST/DATABASE. The environment has the credentials: PGPASSWORD or PGPASSFILE; AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY and AWS_ENDPOINT_URL. Without an address, submitted specs read none. Commas separate the addresses."`
	KeepJobs     time.Duration `name:"keep-jobs" env:"TRIBUTARY_KEEP_JOBS" default:"720h" placeholder:"DURATION" help:"How long the coordinator keeps a job's record and events after its end; 0 keeps them for ever; default: 720h, 30 days."`
	RemoveModels bool          `name:"remove-models" env:"TRIBUTARY_REMOVE_MODELS" help:"Remove a job's model with its record; otherwise models stay until they are removed by hand."`
	Memory       int64         `name:"memory" env:"TRIBUTARY_MEMORY" default:"0" placeholder:"MIB" help:"Memory of this process, in MiB, 0 to 16777216; 0, the default, takes the lowest of the control group, ulimit, GOMEMLIMIT and the machine's memory. A job fails if its model needs more than nine tenths of it at the end."`
	Share        string        `name:"share" env:"TRIBUTARY_SHARE" default:"auto" enum:"auto,always" help:"How many workers split each step of a job. auto, the default, tries several numbers periodically and uses the fastest; always splits each step over all workers."`
	// Second gives the second opinion on a step that differs from its record; nil: none.
	Second verify.Second `kong:"-"`

	HTTP string `name:"http" env:"TRIBUTARY_HTTP" default:"${http}" placeholder:"HOST:PORT" help:"Address that serves /healthz, /readyz and /metrics; port 0 takes a free port; default: 127.0.0.1:8080."`
}

// Validate checks the flags; kong calls it.
func (c *Command) Validate() error {
	if c.Memory < 0 || c.Memory > 1<<24 {
		return fmt.Errorf("--memory: %d: want 0 to %d MiB", c.Memory, 1<<24)
	}
	_, err := ingest.Allow(c.DataPlaces)
	if err != nil {
		return fmt.Errorf("--data-place: %w", err)
	}
	return nil
}

// Run serves until it is stopped. It then releases its jobs, so that another coordinator
// or the next start can continue them.
func (c *Command) Run(ctx lifecycle.Contexts) error {
	id := settings.NewID()
	log, err := c.Log.Logger("coordinator")
	if err != nil {
		return err
	}
	if err := errors.Join(isa.Err(), c.Stores.Check()); err != nil {
		return err
	}
	places, err := ingest.Allow(c.DataPlaces)
	if err != nil {
		return err
	}
	log = log.With().Str("coordinator", id).Logger()
	memory := budget.Find(c.Memory << 20)
	memory.Apply()
	metrics := telemetry.NewMetrics("coordinator", job.Numerics(numeric.Fingerprint()), string(isa.Chosen()))
	var ready settings.Ready
	health, err := telemetry.Listen(ctx.Soft, c.HTTP, metrics, ready.Coordinator()...)
	if err != nil {
		return err
	}
	log.Info().Str("numerics", numeric.Version).Str("kernels", string(isa.Chosen())).Str("http", health.Addr()).Strs("data_roots", c.DataRoots).Int64("memory", memory.Limit>>20).Str("memory_from", memory.Source).Msg("coordinator started")
	defer log.Info().Msg("coordinator stopped")
	g := lifecycle.NewGroup(ctx.Soft, ctx.Hard)
	g.Background("health", health.Serve)
	g.Work("jobs", func(soft, hard context.Context) error {
		stores, err := c.Stores.Open(soft, "tributary coordinator "+id, log)
		if err != nil {
			return err
		}
		defer stores.Close()
		events := stores.Conn.Events()          //nolint:contextcheck // events are sent until the end, after soft has ended
		defer settings.CloseEvents(events, log) //nolint:contextcheck // the same, for a bounded time
		coordinator := New(stores.Conn, stores.CoordinatorQueue(), &ingest.Roots{Folders: c.DataRoots, Places: places, Outside: place.Outside{}}, run.Config{
			Owner: id, Ledger: stores.Ledger, Blobs: stores.Blobs, Events: events, Log: log,
			Memory: memory.Work(), Retain: c.KeepJobs, RetireModels: c.RemoveModels, TryFewer: c.Share == "auto",
		})
		coordinator.service.Measure(metrics)
		coordinator.depths.measure(metrics)
		coordinator.verifications.Second = c.Second
		requests, err := stores.Conn.Fork("requests")
		if err != nil {
			return err
		}
		defer requests.Close()
		service, err := coordinator.Answer(requests) //nolint:contextcheck // Stop ends it
		if err != nil {
			return err
		}
		defer service.Stop(hard)
		ready.Set(stores)
		return coordinator.Run(soft)
	})
	return g.Wait()
}
