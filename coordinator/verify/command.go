package verify

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"github.com/rs/zerolog"

	"tributary/coordinator/ingest"
	"tributary/shared/broker"
	"tributary/shared/job"
	"tributary/shared/lifecycle"
	"tributary/shared/numeric/isa"
	"tributary/shared/readable"
	"tributary/shared/settings"
)

// Command is the verify command's settings.
type Command struct {
	Target string          `arg:"" name:"job-or-model-dir" help:"A job's id, or the folder of a saved model, as train leaves it."`
	Steps  []int64         `name:"steps" sep:"," placeholder:"N" xor:"steps" help:"Verify these steps, counted from 0 as in tasks and errors (metrics.jsonl has the loss of step N at N+1), and the steps computed on the way."`
	Sample *int            `name:"sample" placeholder:"K" xor:"steps" help:"Verify K random steps, 1 to 1000."`
	All    bool            `name:"all" xor:"steps" help:"Verify every step and the parameters at the end; the default."`
	Log    settings.Log    `embed:""`
	Stores settings.Stores `embed:""`

	// Second gives the second opinion on a step that differs from its record; nil: none.
	Second Second `kong:"-"`
	// Outside reads sources outside of files, such as databases; nil: they are not read.
	Outside ingest.Outside `kong:"-"`
}

// Help returns the text that --help shows after the command's description.
func (*Command) Help() string {
	return "The command computes steps again on this machine, in one plain loop, from the job's recorded plan and blocks. " +
		"It begins at the nearest checkpoint before the steps, or at the start of the job. A model's folder needs no server; " +
		"the command reads its data again from the source in its spec, relative to the working folder. " +
		"With --steps and --sample, a checkpoint allows it to skip the steps between; --all takes about as long as training on one core. " +
		"The result names the first difference: the step, and the micro-batch if that can be known. " +
		"The last line on standard output is JSON with \"state\": \"verified\", \"differs\" (see \"difference\") or \"failed\" (see \"error\"); " +
		"the exit status is 0 only for \"verified\". " + settings.Arithmetic()
}

// Run verifies the target and prints the result as the last line.
func (c *Command) Run(ctx lifecycle.Contexts) error {
	if err := isa.Err(); err != nil {
		return err
	}
	v, err := c.verify(ctx.Soft, os.Stderr)
	return errors.Join(readable.Print(os.Stdout, v), err)
}

// errDiffers means that a job or a model differs from its record.
var errDiffers = errors.New("not as recorded")

func (c *Command) verify(ctx context.Context, w io.Writer) (job.Verification, error) {
	v := job.Verification{ID: job.ID(c.Target), State: job.Unknown}
	r := Request{Steps: c.Steps, All: c.All}
	if err := r.SetSample(c.Sample); err != nil {
		v.Error = job.Sentence(err)
		return v, fmt.Errorf("verify %s: %w", c.Target, err)
	}
	s, closeStores, err := c.open(ctx, w)
	if err == nil {
		defer closeStores()
		f := Verifier{Second: c.Second, Progress: func(v job.Verification) { fmt.Fprintln(w, Sentence(v)) }}
		v, err = f.Verify(ctx, s, r)
	}
	if err != nil {
		v.Error = job.Sentence(err)
		return v, fmt.Errorf("verify %s: %w", c.Target, err)
	}
	if v.State == job.Differs {
		return v, fmt.Errorf("verify %s: %w: %s", c.Target, errDiffers, v.Difference.Message)
	}
	return v, nil
}

// open collects everything that belongs to the target.
func (c *Command) open(ctx context.Context, w io.Writer) (*Subject, func(), error) {
	info, err := os.Stat(c.Target)
	switch {
	case err == nil && info.IsDir():
		s, err := OpenFolder(ctx, c.Target, &ingest.Roots{Anywhere: true, Outside: c.Outside}, func(line string) { fmt.Fprintln(w, line) })
		return s, func() {}, err
	case err == nil, strings.ContainsAny(c.Target, `/\`):
		return nil, nil, fmt.Errorf("%q: want a job's id or the folder of a saved model: %w", c.Target, job.ErrInvalid)
	}
	id := job.ID(c.Target)
	if err := id.Validate(); err != nil {
		return nil, nil, fmt.Errorf("%q is neither a folder nor a job's id: %w: %w", c.Target, err, job.ErrInvalid)
	}
	log, err := c.Log.Logger("verify")
	if err != nil {
		return nil, nil, err
	}
	stores, err := c.connect(ctx, log)
	if err != nil {
		return nil, nil, err
	}
	s, err := (&Jobs{Records: records{stores.Conn.Records()}, Models: stores.Conn.Models(), Blobs: stores.Blobs, Ledger: stores.Ledger}).Open(ctx, id)
	if err != nil {
		stores.Close()
		return nil, nil, err
	}
	return s, stores.Close, nil
}

// connectPatience bounds the wait for servers, because a user waits for this command.
const connectPatience = 20 * time.Second

func (c *Command) connect(ctx context.Context, log zerolog.Logger) (*settings.Opened, error) {
	ctx, cancel := context.WithTimeout(ctx, connectPatience)
	defer cancel()
	stores, err := c.Stores.Open(ctx, "tributary verify", log)
	if err != nil {
		return nil, fmt.Errorf("%q is not a folder, so it is read as a job's id: %w", c.Target, err)
	}
	return stores, nil
}

// records adapts the broker's records to the port of Jobs.
type records struct{ *broker.Records }

func (r records) Get(ctx context.Context, id job.ID) (job.Record, uint64, error) {
	e, err := r.Records.Get(ctx, id)
	return e.Record, e.Revision, err
}
