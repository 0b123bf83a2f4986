package train

import (
	"fmt"
	"io"
	"maps"
	"slices"
	"text/tabwriter"
	"time"

	"github.com/dustin/go-humanize"

	"tributary/coordinator/progress"
	"tributary/shared/job"
	"tributary/shared/readable"
)

// printOutcome prints an outcome as a line of JSON or as a table.
func printOutcome(w io.Writer, o *job.Outcome, asJSON bool) error {
	if asJSON {
		return readable.Print(w, o)
	}
	return printTable(w, o)
}

// printTable prints an outcome for people: a table with a row for each split and a column
// for each metric, and where the model is.
func printTable(w io.Writer, o *job.Outcome) error {
	took := time.Duration(o.Seconds * float64(time.Second)).Round(10 * time.Millisecond)
	fmt.Fprintf(w, "job %s has succeeded: %s steps in %s, %s samples/s\n\n",
		o.Job, humanize.Comma(o.Steps), took, humanize.CommafWithDigits(o.SamplesPerSecond, 0))
	names := metricNames(o)
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprint(t, "split\t")
	for _, name := range names {
		fmt.Fprint(t, name, "\t")
	}
	fmt.Fprintln(t)
	var reasons []string
	for _, split := range job.Splits {
		if len(o.Metrics[split])+len(o.Undefined[split]) == 0 {
			continue
		}
		fmt.Fprint(t, split, "\t")
		for _, name := range names {
			fmt.Fprint(t, cell(o, split, name), "\t")
			if why, ok := o.Undefined[split][name]; ok {
				reasons = append(reasons, fmt.Sprintf("%s %s is undefined: %s", split, name, why))
			}
		}
		fmt.Fprintln(t)
	}
	if err := t.Flush(); err != nil {
		return err
	}
	fmt.Fprintln(w)
	for _, line := range reasons {
		fmt.Fprintln(w, line)
	}
	if err := printThreshold(w, o.Threshold); err != nil {
		return err
	}
	if o.Choice != "" {
		fmt.Fprintln(w, o.Choice)
	}
	if o.Out != "" {
		fmt.Fprintln(w, "model       ", o.Out)
	}
	_, err := fmt.Fprintln(w, "parameters  ", o.ParametersSHA256)
	return err
}

// metricNames returns the names of all metrics of an outcome: the loss, then the others in
// alphabetical order.
func metricNames(o *job.Outcome) []string {
	all := map[string]bool{}
	for _, split := range job.Splits {
		for name := range o.Metrics[split] {
			all[name] = true
		}
		for name := range o.Undefined[split] {
			all[name] = true
		}
	}
	delete(all, job.LossFigure)
	return append([]string{job.LossFigure}, slices.Sorted(maps.Keys(all))...)
}

// cell returns the text for a metric of a split.
func cell(o *job.Outcome, split job.Split, name string) string {
	if v, ok := o.Metrics[split][name]; ok {
		return progress.Figure(v)
	}
	if _, ok := o.Undefined[split][name]; ok {
		return "undefined"
	}
	return ""
}

// printThreshold prints what the decision threshold does to the rows of each split.
func printThreshold(w io.Writer, of *job.Threshold) error {
	if of == nil {
		return nil
	}
	fmt.Fprintf(w, "decision threshold: a probability of %s, which maximizes %s of the validation split\n", progress.Figure(float64(of.Probability)), of.Maximize)
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintln(t, "split\taccuracy\tbalanced_accuracy\tprecision\trecall\tf1\t")
	for _, split := range job.Splits {
		if f, ok := of.Splits[split]; ok {
			fmt.Fprint(t, split, "\t")
			for _, v := range []float64{f.Accuracy, f.BalancedAccuracy, f.Precision, f.Recall, f.F1} {
				fmt.Fprint(t, progress.Figure(v), "\t")
			}
			fmt.Fprintln(t)
		}
	}
	if err := t.Flush(); err != nil {
		return err
	}
	_, err := fmt.Fprintln(w)
	return err
}
