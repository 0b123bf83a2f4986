package sweep

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"sync"

	"github.com/rs/zerolog"
	"golang.org/x/sync/errgroup"

	"tributary/coordinator/train"
	"tributary/shared/access"
	"tributary/shared/broker"
	"tributary/shared/job"
	"tributary/shared/lifecycle"
	"tributary/shared/numeric/isa"
	"tributary/shared/readable"
	"tributary/shared/registry"
	"tributary/shared/settings"
	"tributary/shared/spec"
	"tributary/shared/trial"
)

// Command is the sweep command's settings.
type Command struct {
	File     string `arg:"" type:"path" help:"The sweep's file, YAML or JSON."`
	Out      string `name:"out" placeholder:"DIR" help:"Folder for the trials, the table, the picture and the best model; default: out/<name>."`
	Parallel int    `name:"parallel" default:"0" placeholder:"N" help:"Trials at a time, 1 to 256; 0, the default: what the file says (parallel), or one for each CPU. It changes no result."`

	NATS      access.URL   `name:"nats" placeholder:"URL" help:"Submit the sweep to the coordinators on this NATS server and follow it, instead of training here. Its jobs and models stay there."`
	NATSLogin broker.Login `embed:""`
}

// Help returns the text that --help shows after the command's description.
func (*Command) Help() string {
	return `A sweep's file names a job and the values to try:

	name: credit-sweep
	job: deployments/jobs/credit.yaml
	search: random        # grid: every combination; halving: the best of random ones go on
	trials: 20
	monitor: auc          # figure of the validation split
	parameters:
	  optimizer.adam.learning_rate: {log_uniform: [0.0003, 0.03]}
	  model.layers[0].dense.units: [16, 32, 64]

The same file always makes the same trials with the same results. A sweep that was
stopped goes on where it was when it is started again. With --nats, coordinators and
workers elsewhere train the trials; Ctrl-C ends the command and not the sweep.`
}

// Validate checks the flags; kong calls it.
func (c *Command) Validate() error {
	if c.Parallel < 0 || c.Parallel > 256 {
		return fmt.Errorf("--parallel: %d: want 0 to 256", c.Parallel)
	}
	if c.NATS != "" && c.Out != "" {
		return errors.New("--out: want no --nats: the coordinators there have the models")
	}
	return nil
}

// Run trains the trials.
func (c *Command) Run(ctx lifecycle.Contexts) error {
	if err := isa.Err(); err != nil {
		return err
	}
	content, err := spec.Read(c.File)
	if err != nil {
		return err
	}
	s, err := trial.Decode(content)
	if err != nil {
		return err
	}
	from, err := base(s)
	if err != nil {
		return err
	}
	if err := s.Bind(from); err != nil {
		return err
	}
	if c.NATS != "" {
		s.Parallel = cmp.Or(c.Parallel, s.Parallel)
		return c.submit(ctx.Soft, s)
	}
	if c.Out == "" {
		c.Out = filepath.Join("out", s.Name)
	}
	parallel := cmp.Or(c.Parallel, s.Parallel, runtime.GOMAXPROCS(0))
	log, err := settings.Log{Level: "error", Format: "pretty"}.LoggerTo(os.Stderr, false, "")
	if err != nil {
		return err
	}
	r := &runner{Sweep: s, out: c.Out, parallel: parallel, noun: trialNoun, say: os.Stderr, train: inProcess(ctx, log, parallel)}
	if s.Search == trial.EachFold {
		r.noun = "fold"
		summary, err := r.crossValidate(ctx.Soft)
		if err != nil {
			return err
		}
		return readable.Print(os.Stdout, summary)
	}
	outcome, err := r.run(ctx.Soft)
	if err != nil {
		return err
	}
	return readable.Print(os.Stdout, outcome)
}

// inProcess returns a function that trains one job with embedded servers.
func inProcess(ctx lifecycle.Contexts, log zerolog.Logger, parallel int) trainer {
	return trainerLike(ctx, &train.Command{Workers: 1, Share: "auto"}, log, parallel)
}

// trainerLike returns a function that trains one job with the settings of a command.
func trainerLike(ctx lifecycle.Contexts, like *train.Command, log zerolog.Logger, parallel int) trainer {
	return func(soft context.Context, text []byte, dir string) (*job.Outcome, error) {
		c := *like
		c.Out, c.Force, c.Resume, c.DropState = dir, true, false, true
		if c.Slots == 0 && c.Workers == 1 {
			c.Slots = max(1, runtime.GOMAXPROCS(0)/parallel)
		}
		return c.Train(lifecycle.Contexts{Soft: soft, Hard: ctx.Hard}, text, io.Discard, log) //nolint:contextcheck // both are passed on
	}
}

// base reads the spec that the trials of a sweep change.
func base(s *trial.Sweep) (map[string]any, error) {
	if s.Spec != nil {
		return s.Spec, nil
	}
	data, err := spec.Read(s.Job)
	if err != nil {
		return nil, fmt.Errorf("job: %w: %w", err, job.ErrInvalid)
	}
	decoded, err := spec.Decode(data)
	if err != nil {
		return nil, fmt.Errorf("job %q: %w", s.Job, err)
	}
	canonical, _, err := spec.Canonical(decoded)
	if err != nil {
		return nil, err
	}
	var object map[string]any
	return object, json.Unmarshal(canonical, &object)
}

// trainer trains a job and stores its model in a folder.
type trainer func(ctx context.Context, text []byte, dir string) (*job.Outcome, error)

// runner runs the trials of a sweep.
type runner struct {
	*trial.Sweep
	out      string
	parallel int
	say      io.Writer
	train    trainer
	noun     string // what a trial is called

	mu   sync.Mutex
	done int
	best *trial.Trial
}

// Outcome is the report of a sweep.
type Outcome struct {
	Sweep   string       `json:"sweep"`
	Trials  int          `json:"trials"`
	Failed  int          `json:"failed,omitempty"`
	Monitor string       `json:"monitor"` // of the validation split
	Best    *trial.Trial `json:"best"`
	Out     string       `json:"out"` // folder of the best model
}

// run trains all rounds of trials and writes the report.
func (r *runner) run(ctx context.Context) (*Outcome, error) {
	all := r.All()
	_, decoded, err := r.SpecOf(all[0], r.TrialID(0, 0), 0)
	if err != nil {
		return nil, err
	}
	if r.Search == trial.SuccessHalve && decoded.Epochs == 0 {
		return nil, fmt.Errorf("search: halving: the job has steps: want epochs: %w", job.ErrInvalid)
	}
	going := all
	for k, epochs := range r.Epochs(decoded.Epochs) {
		if k > 0 {
			going = r.Keep(going)
			fmt.Fprintf(r.say, "round %d: the best %d of the trials, %d epochs\n", k+1, len(going), epochs)
		}
		if err := r.round(ctx, going, k, epochs); err != nil {
			return nil, err
		}
	}
	return r.conclude(all)
}

// round trains one job of each trial.
func (r *runner) round(ctx context.Context, trials []*trial.Trial, round, epochs int) error {
	r.done, r.best = 0, nil
	g, ctx := errgroup.WithContext(ctx)
	g.SetLimit(r.parallel)
	for _, t := range trials {
		g.Go(func() error {
			if err := ctx.Err(); err != nil {
				return err
			}
			t.Result = r.one(ctx, t, round, epochs)
			if err := ctx.Err(); err != nil {
				return err
			}
			r.report(t, len(trials))
			return nil
		})
	}
	return g.Wait()
}

// one trains a trial's job, unless its model is there already.
func (r *runner) one(ctx context.Context, t *trial.Trial, round, epochs int) trial.Result {
	id := r.TrialID(t.Number-1, round)
	result := trial.Result{Epochs: epochs, Out: filepath.Join(r.out, string(id))}
	text, decoded, err := r.SpecOf(t, id, epochs)
	if err != nil {
		result.Error = job.Sentence(err)
		return result
	}
	if card, ok := finished(result.Out, decoded); ok {
		result.Metrics, result.Steps = card.Metrics, card.Steps
	} else {
		o, err := r.train(ctx, text, result.Out)
		if err != nil {
			result.Error = job.Sentence(err)
			return result
		}
		result.Metrics, result.Steps = o.Metrics, o.Steps
	}
	r.Judge(&result)
	return result
}

// finished returns the card of the model in a folder, if it is of the same spec.
func finished(dir string, want *job.Spec) (*registry.Card, bool) {
	m, err := registry.Load(dir)
	if err != nil {
		return nil, false
	}
	_, a, errA := spec.Canonical(want)
	_, b, errB := spec.Canonical(&m.Card.Spec)
	return &m.Card, errors.Join(errA, errB) == nil && a == b && m.Card.ID == want.ID
}
