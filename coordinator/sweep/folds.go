package sweep

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"math"
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
)

// foldField is the field that the jobs of a cross-validation differ in.
const foldField = "data.split.fold"

// foldsFile has the summary of a cross-validation.
const foldsFile = "folds.json"

// CrossValidation is the summary of the jobs of all folds.
type CrossValidation struct {
	Name    string                          `json:"name"`
	Folds   int                             `json:"folds"`
	Metrics map[job.Split]map[string]Spread `json:"metrics"`
	Jobs    []*Trial                        `json:"jobs"`
	Out     string                          `json:"out"` // folder of the folders of the models
}

// Spread says how a metric varies over the folds.
type Spread struct {
	Mean   float64   `json:"mean"`
	Std    float64   `json:"std"`    // of the population: numpy's default
	Values []float64 `json:"values"` // of the folds in which the metric is defined, in their order
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
	summary, err := r.crossValidate(ctx, s.Data.Split.KFolds)
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
	list := make([]any, s.Data.Split.KFolds)
	for i := range list {
		list[i] = i + 1
	}
	id := cmp.Or(string(s.ID), s.Name)
	sweep := &Sweep{Name: s.Name, Search: Grid, Parameters: map[string]Values{foldField: {List: list}}, ids: func(trial, _ int) job.ID {
		tail := fmt.Sprintf("-fold-%d", trial+1)
		return job.ID(id[:min(len(id), 64-len(tail))] + tail)
	}}
	sweep.fill()
	return &runner{Sweep: sweep, base: base, out: cmp.Or(out, filepath.Join("out", id)), noun: "fold"}, nil
}

// crossValidate trains the job of each fold and sums up their metrics.
func (r *runner) crossValidate(ctx lifecycle.Contexts, k int) (*CrossValidation, error) {
	all := r.trials()
	if err := r.round(ctx.Soft, all, 0, 0); err != nil {
		return nil, err
	}
	c := &CrossValidation{Name: r.Name, Folds: k, Metrics: map[job.Split]map[string]Spread{}, Jobs: all, Out: r.out}
	var faults []error
	values := map[job.Split]map[string][]float64{}
	for _, t := range all {
		if t.Error != "" {
			faults = append(faults, fmt.Errorf("fold %d: %s: %w", t.Number, t.Error, job.ErrPoison))
		}
		for split, metrics := range t.Metrics {
			for name, v := range metrics {
				if values[split] == nil {
					values[split] = map[string][]float64{}
				}
				values[split][name] = append(values[split][name], v)
			}
		}
	}
	if len(faults) > 0 {
		return nil, errors.Join(faults...)
	}
	for split, metrics := range values {
		c.Metrics[split] = map[string]Spread{}
		for name, v := range metrics {
			c.Metrics[split][name] = spreadOf(v)
		}
	}
	data, err := readable.Indented(c)
	if err != nil {
		return nil, err
	}
	return c, os.WriteFile(filepath.Join(r.out, foldsFile), append(data, '\n'), 0o644)
}

func spreadOf(values []float64) Spread {
	s := Spread{Values: values}
	for _, v := range values {
		s.Mean += v
	}
	s.Mean /= float64(len(values))
	for _, v := range values {
		s.Std += float64((v - s.Mean) * (v - s.Mean))
	}
	s.Std = math.Sqrt(s.Std / float64(len(values)))
	return s
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
			fmt.Fprint(t, c.Metrics[split][name].text(c.Folds), "\t")
		}
		fmt.Fprintln(t)
	}
	if err := t.Flush(); err != nil {
		return err
	}
	_, err := fmt.Fprintf(w, "\nmodels       %s\n", filepath.Join(c.Out, fmt.Sprintf("*-fold-1 … %d", c.Folds)))
	return err
}

func (s Spread) text(folds int) string {
	switch n := len(s.Values); {
	case n == 0:
		return "undefined"
	case n < folds:
		return fmt.Sprintf("%s ± %s (%d folds)", progress.Figure(s.Mean), progress.Figure(s.Std), n)
	default:
		return fmt.Sprintf("%s ± %s", progress.Figure(s.Mean), progress.Figure(s.Std))
	}
}
