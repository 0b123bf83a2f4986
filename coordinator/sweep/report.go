package sweep

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"text/tabwriter"

	"tributary/shared/job"
	"tributary/shared/readable"
	"tributary/shared/trial"
)

// The names of a sweep's files.
const (
	trialsFile = "sweep.json"
	svgFile    = "sweep.svg"
	pngFile    = "sweep.png"
	bestFolder = "best"
)

// trialNoun is what a line of the report calls a job.
const trialNoun = "trial"

// report prints a line for a trial that is done.
func (r *runner) report(t *trial.Trial, of int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.done++
	if t.Value != nil && (r.best == nil || r.Better(*t.Value, *r.best.Value)) {
		r.best = t
	}
	figure := t.Error
	if t.Value != nil {
		figure = fmt.Sprintf("%s %.6g", r.Monitor, *t.Value)
		if r.noun == trialNoun { // folds do not compete
			figure += fmt.Sprintf(", best %.6g of trial %d", *r.best.Value, r.best.Number)
		}
	}
	fmt.Fprintf(r.say, "%d/%d  %s %d: %s\n", r.done, of, r.noun, t.Number, figure)
}

// conclude writes the files of the sweep and returns its outcome. It fails if no trial has a
// figure.
func (r *runner) conclude(all []*trial.Trial) (*Outcome, error) {
	if err := os.MkdirAll(r.out, 0o755); err != nil {
		return nil, err
	}
	data, err := json.MarshalIndent(all, "", "  ")
	if err != nil {
		return nil, err
	}
	if err := os.WriteFile(filepath.Join(r.out, trialsFile), append(data, '\n'), 0o644); err != nil {
		return nil, err
	}
	ranked := r.Ranked(all)
	if len(ranked) == 0 {
		return nil, fmt.Errorf("no trial has the figure %s of the validation split; the first: %s: %w", r.Monitor, all[0].Error, job.ErrPoison)
	}
	o := &Outcome{Sweep: r.Name, Trials: len(all), Failed: len(all) - len(ranked), Monitor: r.Monitor, Best: ranked[0], Out: filepath.Join(r.out, bestFolder)}
	if err := copyFolder(o.Out, o.Best.Out); err != nil {
		return nil, fmt.Errorf("copy the best model: %w", err)
	}
	svg, png, err := r.plot(ranked)
	if err == nil {
		err = errors.Join(os.WriteFile(filepath.Join(r.out, svgFile), svg, 0o644), os.WriteFile(filepath.Join(r.out, pngFile), png, 0o644))
	}
	if err != nil {
		fmt.Fprintf(r.say, "the picture could not be made: %v\n", err)
	}
	return o, r.table(ranked)
}

// shownTrials is the number of trials in the printed table; sweep.json has all of them.
const shownTrials = 20

// table prints the best trials.
func (r *runner) table(ranked []*trial.Trial) error {
	w := tabwriter.NewWriter(r.say, 0, 0, 2, ' ', 0)
	head := append([]string{"trial", r.Monitor}, r.Paths()...)
	if r.Search == trial.SuccessHalve {
		head = append(head, "epochs")
	}
	fmt.Fprintln(w, strings.Join(head, "\t"))
	for _, t := range ranked[:min(shownTrials, len(ranked))] {
		row := []string{fmt.Sprint(t.Number), fmt.Sprintf("%.6g", *t.Value)}
		for _, path := range r.Paths() {
			row = append(row, trial.Text(t.Values[path]))
		}
		if r.Search == trial.SuccessHalve {
			row = append(row, fmt.Sprint(t.Epochs))
		}
		fmt.Fprintln(w, strings.Join(row, "\t"))
	}
	if err := w.Flush(); err != nil {
		return err
	}
	if more := len(ranked) - shownTrials; more > 0 {
		fmt.Fprintf(r.say, "and %d more in %s\n", more, filepath.Join(r.out, trialsFile))
	}
	best := ranked[0]
	line, err := readable.JSON(best.Metrics[job.Test])
	if err != nil || best.Metrics[job.Test] == nil {
		return err
	}
	fmt.Fprintf(r.say, "the best is trial %d, chosen by the validation split; its test split: %s\n", best.Number, line)
	return nil
}

// copyFolder copies the files of a model. It removes others first.
func copyFolder(to, from string) error {
	if err := os.RemoveAll(to); err != nil {
		return err
	}
	if err := os.MkdirAll(to, 0o755); err != nil {
		return err
	}
	entries, err := os.ReadDir(from)
	if err != nil {
		return err
	}
	for _, e := range entries {
		if !e.Type().IsRegular() {
			continue
		}
		if err := copyFile(filepath.Join(to, e.Name()), filepath.Join(from, e.Name())); err != nil {
			return err
		}
	}
	return nil
}

func copyFile(to, from string) error {
	in, err := os.Open(from)
	if err != nil {
		return err
	}
	defer in.Close()
	out, err := os.Create(to)
	if err != nil {
		return err
	}
	_, err = io.Copy(out, in)
	return errors.Join(err, out.Close())
}
