package sweep

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"text/tabwriter"

	"github.com/rs/zerolog"
	"golang.org/x/term"

	"tributary/coordinator/progress"
	"tributary/coordinator/train"
	"tributary/shared/job"
	"tributary/shared/lifecycle"
	"tributary/shared/readable"
	"tributary/shared/spec"
	"tributary/shared/trial"
)

// foldsFile has the summary of a cross-validation.
const foldsFile = "folds.json"

// CrossValidation is the summary of the jobs of all folds.
type CrossValidation struct {
	Name    string                                `json:"name"`
	Folds   int                                   `json:"folds"`
	Metrics map[job.Split]map[string]trial.Spread `json:"metrics"`
	Jobs    []*trial.Trial                        `json:"jobs"`
	Out     string                                `json:"out"` // folder of the folders of the models
}

// Folds trains a job for each fold of a spec with data.split.k_folds, and prints a summary.
// It is what the train command runs for such a spec.
func Folds(ctx lifecycle.Contexts, c *train.Command, text []byte, log zerolog.Logger, asJSON bool) error {
	s, err := spec.Decode(text)
	if err != nil {
		return err
	}
	r, err := folds(s, c.Out)
	if err != nil {
		return err
	}
	r.say, r.parallel = os.Stderr, 1
	if c.NATS == "" && c.Workers == 1 && c.Slots == 0 {
		r.parallel = min(runtime.GOMAXPROCS(0), s.Data.Split.KFolds)
	}
	r.train = trainerLike(ctx, c, log, r.parallel)
	summary, err := r.crossValidate(ctx.Soft)
	if err != nil {
		return err
	}
	if asJSON || !term.IsTerminal(int(os.Stdout.Fd())) {
		return readable.Print(os.Stdout, summary)
	}
	return summary.table(os.Stdout)
}

// folds returns the sweep over the folds of a spec.
func folds(s *job.Spec, out string) (*runner, error) {
	canonical, _, err := spec.Canonical(s)
	if err != nil {
		return nil, err
	}
	var base map[string]any
	if err := json.Unmarshal(canonical, &base); err != nil {
		return nil, err
	}
	id := cmp.Or(string(s.ID), s.Name)
	sweep, err := trial.Folds(s.Name, id, base)
	if err != nil {
		return nil, err
	}
	return &runner{Sweep: sweep, out: cmp.Or(out, filepath.Join("out", id)), noun: "fold"}, nil
}

// crossValidate trains the job of each fold and sums up their metrics.
func (r *runner) crossValidate(ctx context.Context) (*CrossValidation, error) {
	all := r.All()
	if err := r.round(ctx, all, 0, 0); err != nil {
		return nil, err
	}
	c := &CrossValidation{Name: r.Name, Folds: len(all), Jobs: all, Out: r.out}
	var faults []error
	for _, t := range all {
		if t.Error != "" {
			faults = append(faults, fmt.Errorf("fold %d: %s: %w", t.Number, t.Error, job.ErrPoison))
		}
	}
	if len(faults) > 0 {
		return nil, errors.Join(faults...)
	}
	c.Metrics = trial.Spreads(all)
	data, err := readable.Indented(c)
	if err != nil {
		return nil, err
	}
	return c, os.WriteFile(filepath.Join(r.out, foldsFile), append(data, '\n'), 0o644)
}

// table prints the mean and the standard deviation of each metric of each split.
func (c *CrossValidation) table(w io.Writer) error {
	fmt.Fprintf(w, "cross-validation of %s: %d folds, mean ± standard deviation over them\n\n", c.Name, c.Folds)
	var splits []job.Split
	names := map[string]bool{}
	for _, split := range job.Splits {
		if len(c.Metrics[split]) > 0 {
			splits = append(splits, split)
		}
		for name := range c.Metrics[split] {
			names[name] = true
		}
	}
	delete(names, job.LossFigure)
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprint(t, "metric\t")
	for _, split := range splits {
		fmt.Fprint(t, split, "\t")
	}
	fmt.Fprintln(t)
	for _, name := range append([]string{job.LossFigure}, slices.Sorted(maps.Keys(names))...) {
		fmt.Fprint(t, name, "\t")
		for _, split := range splits {
			fmt.Fprint(t, spread(c.Metrics[split][name], c.Folds), "\t")
		}
		fmt.Fprintln(t)
	}
	if err := t.Flush(); err != nil {
		return err
	}
	_, err := fmt.Fprintf(w, "\nmodels       %s\n", filepath.Join(c.Out, fmt.Sprintf("*-fold-1 … %d", c.Folds)))
	return err
}

// spread shows a spread to people.
func spread(s trial.Spread, folds int) string {
	switch n := len(s.Values); {
	case n == 0:
		return "undefined"
	case n < folds:
		return fmt.Sprintf("%s ± %s (%d folds)", progress.Figure(s.Mean), progress.Figure(s.Std), n)
	default:
		return fmt.Sprintf("%s ± %s", progress.Figure(s.Mean), progress.Figure(s.Std))
	}
}
