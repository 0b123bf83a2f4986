// Package train runs one job to its end in this process: servers if none are given, a
// coordinator and workers. It also submits a job to coordinators elsewhere, and follows it.
//
// It is the only package that uses both programs. It owns their combination and the
// output for a user at a terminal. It leaves the job itself to the coordinator and the
// workers, which run as everywhere. The coordinator's main package runs its Command.
//
// Invariant: only a succeeded job prints something on standard output: its outcome. It is
// one line of JSON, or a table if standard output is a terminal.
package train

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"runtime"
	"sync/atomic"

	"github.com/rs/zerolog"
	"golang.org/x/term"

	"tributary/coordinator/ingest"
	"tributary/coordinator/place"
	"tributary/coordinator/progress"
	"tributary/coordinator/run"
	"tributary/coordinator/serve"
	"tributary/shared/access"
	"tributary/shared/broker"
	"tributary/shared/job"
	"tributary/shared/lifecycle"
	"tributary/shared/numeric"
	"tributary/shared/numeric/isa"
	"tributary/shared/plan"
	"tributary/shared/settings"
	"tributary/shared/spec"
	"tributary/shared/telemetry"
	worker "tributary/worker/run"
)

// Command is the train command's settings.
type Command struct {
	Spec    string `arg:"" type:"path" help:"The job's spec, YAML or JSON; - reads standard input."`
	Workers int    `name:"workers" default:"1" help:"Workers to run in this process, 0 to 256; 0 leaves the work to workers elsewhere."`
	Slots   int    `name:"slots" default:"0" placeholder:"N" help:"Gradient tasks that each worker computes at a time, 1 to 4096; 0, the default, divides the CPUs by the number of workers."`
	Out     string `name:"out" placeholder:"DIR" help:"Folder for the model and the report; default: out/<job>. With embedded servers, the training state is also kept there until the job ends."`
	Resume  bool   `name:"resume" help:"Go on with the job that was stopped: from the training state in its folder, or on the given servers."`
	More    int    `name:"more-epochs" placeholder:"N" help:"Give a finished job N more epochs: the argument is then the folder of its model or, with --nats, its id. A new job goes on from its training state, and has the same bits as one that has all epochs from the start."`
	Detach  bool   `name:"detach" help:"Submit the job to the coordinators on the server of --nats, print its id and state, and end. They do the work, and read the spec's files (see serve --data-root). The follow command shows the job."`
	Force   bool   `name:"force" help:"Overwrite the model or the training state of another job in the folder."`
	JSON    bool   `name:"json" help:"Print the outcome as a line of JSON on a terminal too. Without it, a terminal gets a table, and anything else the line."`
	Level   string `name:"log-level" default:"warn" enum:"trace,debug,info,warn,error,disabled" help:"Lowest severity that the program logs: trace, debug, info, warn, error or disabled."`
	Share   string `name:"share" default:"auto" enum:"auto,always" help:"How many workers split each step of a job. auto, the default, tries several numbers periodically and uses the fastest; always splits each step over all workers."`

	NATS       access.URL          `name:"nats" placeholder:"URL" help:"Use this NATS server instead of an embedded one; requires --redis."`
	Redis      access.URL          `name:"redis" placeholder:"URL" help:"Use this Redis server instead of an embedded one; requires --nats."`
	Blobs      access.Address      `name:"blobs" env:"TRIBUTARY_BLOBS" default:"nats" help:"With --nats and --redis: where dataset blocks, plans and checkpoints live, as for serve."`
	NATSLogin  broker.Login        `embed:""`
	RedisLogin settings.RedisLogin `embed:""`

	// Folds trains a job for each fold of a spec that stands for several jobs.
	Folds func(ctx lifecycle.Contexts, c *Command, text []byte, log zerolog.Logger, asJSON bool) error `kong:"-"`

	DropState bool `kong:"-"` // do not keep the training state of a finished job

	extends   *job.Record // the finished job that is given more epochs, from its folder
	settled   string      // what is kept of the training state, for a person
	misplaced error       // set if the model was saved in another place
}

// Help returns the text that --help shows after the command's description.
func (*Command) Help() string { return settings.Arithmetic() }

// Validate checks the flags; kong calls it.
func (c *Command) Validate() error {
	switch {
	case c.More < 0 || c.More > 1_000_000:
		return fmt.Errorf("--more-epochs: %d: want 1 to 1000000", c.More)
	case c.More > 0 && (c.Resume || c.Detach):
		return errors.New("--more-epochs: want no --resume and --detach: it makes a new job (tributary.jobs.continue does it without waiting)")
	case c.Workers < 0 || c.Workers > 256:
		return fmt.Errorf("--workers: %d: want 0 to 256", c.Workers)
	case c.Slots < 0 || c.Slots > 4096:
		return fmt.Errorf("--slots: %d: want 1 to 4096", c.Slots)
	case c.Detach && (c.NATS == "" || c.Resume || c.Force || c.Out != ""):
		return errors.New("--detach: want --nats, and no --resume, --force and --out: the coordinators there have the job and its model")
	case !c.Detach && (c.NATS == "") != (c.Redis == ""):
		return errors.New("--nats and --redis go together: workers need both servers")
	case c.NATS == "" && c.Workers == 0:
		return errors.New("--workers: 0: want 1 to 256: no other worker can reach the embedded servers")
	}
	return nil
}

// Run trains the job.
func (c *Command) Run(ctx lifecycle.Contexts) error {
	if err := isa.Err(); err != nil {
		return err
	}
	text, err := c.read()
	if err != nil {
		return err
	}
	tty := term.IsTerminal(int(os.Stderr.Fd()))
	display := progress.New(os.Stderr, tty)
	defer display.Done()
	log, err := settings.Log{Level: c.Level, Format: "pretty"}.LoggerTo(display.Writer(), tty, "")
	if err != nil {
		return err
	}
	asJSON := c.JSON || !term.IsTerminal(int(os.Stdout.Fd()))
	if asked, err := spec.Decode(text); err == nil && c.More == 0 && asked.Data.Split.CheckFold() != nil && c.Folds != nil && !c.Detach {
		return c.Folds(ctx, c, text, log, c.JSON)
	}
	if c.Detach {
		return c.detach(ctx.Soft, os.Stdout, text, log, asJSON)
	}
	outcome, err := c.train(ctx, text, display, log)
	if err != nil {
		return err
	}
	display.Done()
	err = printOutcome(os.Stdout, outcome, asJSON)
	if !asJSON && c.settled != "" {
		fmt.Fprintln(os.Stdout, c.settled)
	}
	return errors.Join(err, c.misplaced)
}

// Train trains a job with the settings of the command, as Run does. It prints the progress to
// show and no outcome.
func (c *Command) Train(ctx lifecycle.Contexts, text []byte, show io.Writer, log zerolog.Logger) (*job.Outcome, error) {
	display := progress.New(show, false)
	defer display.Done()
	outcome, err := c.train(ctx, text, display, log)
	if err != nil {
		return nil, err
	}
	return outcome, c.misplaced
}

// Limits of a worker's caches, in bytes.
const (
	blockCache   = 512 << 20
	replicaCache = 2 << 30
)

// train runs servers, coordinator and workers for the one job.
func (c *Command) train(ctx lifecycle.Contexts, text []byte, display *progress.Display, log zerolog.Logger) (*job.Outcome, error) {
	asked := &job.Spec{} // of a job on the given servers that is given more epochs
	if c.More == 0 || c.NATS == "" {
		var err error
		if asked, err = spec.Decode(text); err != nil {
			return nil, err
		}
	}
	if err := c.try(asked); err != nil {
		return nil, err
	}
	stores, closeStores, err := c.open(ctx.Soft, log)
	if err != nil {
		return nil, err
	}
	defer closeStores()
	kept := &state{from: stores.Blobs}
	events := stores.Conn.Events()
	defer settings.CloseEvents(events, log)
	follow := newFollower(events, display)
	var stored atomic.Bool // by the coordinator of this process
	cfg := run.Config{
		Owner: settings.NewID(), Ledger: stores.Ledger, Blobs: stores.Blobs,
		Events: follow, Only: follow.follows, Log: log,
		Volatile: c.NATS == "", TryFewer: c.Share == "auto",
	}
	cfg.Keep = func(id job.ID, files map[string][]byte) (string, error) {
		stored.Store(true)
		return c.keep(id, follow.times.add(files, log))
	}
	if cfg.Volatile {
		cfg.Saved = kept.save
	}
	coordinator := serve.New(stores.Conn, stores.CoordinatorQueue(), &ingest.Roots{Anywhere: true, Outside: place.Outside{}}, cfg)
	id, err := c.submit(ctx.Soft, coordinator.API, stores, kept, asked, text)
	if err != nil {
		return nil, err
	}
	kept.dir = c.dir(id)
	follow.follow(id)

	var outcome *job.Outcome
	var failed error // the job's own error, without the name of a goroutine
	g := lifecycle.NewGroup(ctx.Soft, ctx.Hard)
	g.Background("coordinator", coordinator.Run)
	g.Background("workers", func(ctx context.Context) error { return c.Work(ctx, stores, log) })
	g.Work("job", func(soft, hard context.Context) (err error) {
		defer func() { failed = err }()
		outcome, err = follow.wait(soft, func() (job.Record, error) { return coordinator.API.Get(soft, []byte(id)) })
		switch {
		case err == nil && !stored.Load():
			outcome, err = c.fetch(soft, stores.Conn.Models(), outcome, func(files map[string][]byte) map[string][]byte { return follow.times.add(files, log) })
		case err != nil && soft.Err() != nil:
			return c.stop(soft, hard, coordinator.API, id)
		}
		return err
	})
	err = g.Wait()
	switch {
	case failed != nil:
		if err = failed; cfg.Volatile && ctx.Soft.Err() == nil {
			kept.dropEnded()
		}
	case err == nil && outcome == nil:
		err = context.Cause(ctx.Soft) // a hard stop
	case err == nil && cfg.Volatile:
		if err := c.settle(kept, outcome); err != nil {
			log.Warn().Err(err).Msg("keep or delete the training state")
		}
	}
	return outcome, err
}

// Work runs this process's workers until ctx ends.
func (c *Command) Work(ctx context.Context, stores *settings.Opened, log zerolog.Logger) error {
	g := lifecycle.NewGroup(ctx, ctx)
	for range c.Workers {
		g.Work("worker", func(soft, hard context.Context) error { return worker.Run(soft, hard, c.worker(stores, log)) })
	}
	return g.Wait()
}

// worker returns the configuration of one of this process's workers.
func (c *Command) worker(stores *settings.Opened, log zerolog.Logger) worker.Config {
	id := settings.NewID()
	slots := c.Slots
	if slots == 0 {
		slots = max(1, runtime.GOMAXPROCS(0)/max(1, c.Workers))
	}
	return worker.Config{
		ID: id, Version: telemetry.Version(), Slots: slots, Numerics: job.Numerics(numeric.Fingerprint()),
		Queue: stores.Queue(), Ledger: stores.Ledger, Blobs: stores.Blobs, Bus: stores.Conn.Notices(), Records: stores.Conn.Records(),
		Operations: plan.Capabilities(), BlockBytes: blockCache, ReplicaBytes: replicaCache, Log: log.With().Str("worker", id).Logger(),
	}
}
