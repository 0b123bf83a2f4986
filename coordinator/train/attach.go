package train

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"sync"
	"time"

	"github.com/rs/zerolog"
	"golang.org/x/term"

	"tributary/coordinator/api"
	"tributary/coordinator/progress"
	"tributary/shared/broker"
	"tributary/shared/hint"
	"tributary/shared/job"
	"tributary/shared/lifecycle"
	"tributary/shared/notice"
	"tributary/shared/readable"
	"tributary/shared/settings"
)

// FollowCommand is the follow command's settings.
type FollowCommand struct {
	Job   string        `arg:"" name:"job" help:"The job's id."`
	JSON  bool          `name:"json" help:"Print the outcome as a line of JSON on a terminal too. Without it, a terminal gets a table, and anything else the line."`
	Level string        `name:"log-level" default:"warn" enum:"trace,debug,info,warn,error,disabled" help:"Lowest severity that the program logs: trace, debug, info, warn, error or disabled."`
	NATS  broker.Config `embed:""`
}

// Help returns the text that --help shows after the command's description.
func (*FollowCommand) Help() string {
	return `The command shows the events of a job on given servers, from its first on, until the job ends. Then it prints the outcome,
as train does. Ctrl-C ends the command and changes nothing about the job. Coordinators and workers elsewhere do the work
(coordinator serve, worker).`
}

// connectPatience bounds the wait for servers, because a user waits for the command.
const connectPatience = 20 * time.Second

// connect connects to NATS for a user who waits.
func connect(ctx context.Context, cfg broker.Config, log zerolog.Logger) (*broker.Conn, error) {
	ctx, cancel := context.WithTimeout(ctx, connectPatience)
	defer cancel()
	return broker.Connect(ctx, cfg, log)
}

// Run follows the job to its end.
func (c *FollowCommand) Run(ctx lifecycle.Contexts) error {
	tty := term.IsTerminal(int(os.Stderr.Fd()))
	display := progress.New(os.Stderr, tty)
	defer display.Done()
	log, err := settings.Log{Level: c.Level, Format: "pretty"}.LoggerTo(display.Writer(), tty, "")
	if err != nil {
		return err
	}
	o, err := c.follow(ctx.Soft, display, log)
	if err != nil {
		return err
	}
	display.Done()
	return printOutcome(os.Stdout, o, c.JSON || !term.IsTerminal(int(os.Stdout.Fd())))
}

// follow shows the events of the job until it has an outcome.
func (c *FollowCommand) follow(ctx context.Context, display *progress.Display, log zerolog.Logger) (*job.Outcome, error) {
	cfg := c.NATS
	cfg.Name = "tributary follow"
	conn, err := connect(ctx, cfg, log)
	if err != nil {
		return nil, err
	}
	defer conn.Close()
	id, records := job.ID(c.Job), conn.Records()
	r, err := records.Record(ctx, id)
	if errors.Is(err, job.ErrNotFound) {
		return nil, fmt.Errorf("there is no job %.80q%s: %w", c.Job, hint.For(c.Job, ids(ctx, records)), job.ErrNotFound)
	}
	if err != nil {
		return nil, err
	}
	f := newFollower(nil, display)
	f.follow(id)
	following, stop := context.WithCancel(ctx)
	var events sync.WaitGroup
	events.Go(func() {
		err := conn.FollowEvents(following, id, func(e notice.Event) {
			if e.Run == r.Run {
				f.see(e)
			}
		})
		if err != nil && following.Err() == nil {
			log.Warn().Err(err).Msg("the events of the job cannot be shown")
		}
	})
	defer events.Wait()
	defer stop()
	o, err := f.wait(ctx, func() (job.Record, error) { return records.Record(ctx, id) })
	if err != nil && ctx.Err() != nil {
		return nil, fmt.Errorf("no longer following job %s, which goes on: %w", id, context.Cause(ctx))
	}
	return o, err
}

// mostIDs is the maximum number of jobs that are compared with a misspelt id.
const mostIDs = 10_000

// ids returns the ids of jobs, as many as can be read.
func ids(ctx context.Context, records *broker.Records) []string {
	var all []string
	for e, err := range records.All(ctx) {
		if err != nil && !errors.Is(err, job.ErrCorrupt) || len(all) == mostIDs {
			break
		}
		all = append(all, string(e.Record.ID))
	}
	return all
}

// detach submits the job to the coordinators on the given server and prints its id and
// state.
func (c *Command) detach(ctx context.Context, w io.Writer, text []byte, log zerolog.Logger, asJSON bool) error {
	conn, err := connect(ctx, broker.Config{URL: c.NATS, Login: c.NATSLogin, Name: "tributary train"}, log)
	if err != nil {
		return err
	}
	defer conn.Close()
	answer, err := conn.Request(ctx, "tributary.jobs.submit", text)
	if err != nil {
		return err
	}
	var s api.Status
	if err := json.Unmarshal(answer, &s); err != nil {
		return fmt.Errorf("the coordinator's answer %.80q: %w", answer, err)
	}
	if asJSON {
		return readable.Print(w, s)
	}
	_, err = fmt.Fprintf(w, "job %s is %s; follow it with: coordinator follow %s\n", s.ID, s.State, s.ID)
	return err
}
