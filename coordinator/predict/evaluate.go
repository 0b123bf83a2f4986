package predict

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"text/tabwriter"

	"github.com/dustin/go-humanize"
	"golang.org/x/term"

	"tributary/coordinator/ingest"
	"tributary/coordinator/progress"
	"tributary/coordinator/report"
	"tributary/shared/dataset"
	"tributary/shared/job"
	"tributary/shared/lifecycle"
	"tributary/shared/readable"
	"tributary/shared/registry"
)

// EvaluateCommand is the evaluate command's settings.
type EvaluateCommand struct {
	Model       string `arg:"" type:"path" name:"model-dir" help:"Folder of a saved model, as train leaves it."`
	Rows        `embed:""`
	Labels      string `name:"labels" placeholder:"FILE" help:"File with the labels of the rows, IDX or NumPy, .gz too; required for IDX and .npy, and for a model of several outputs without a column for each. An .npz archive has them itself by default."`
	LabelsArray string `name:"labels-array" placeholder:"NAME" help:"The array of the labels in an .npz archive; default: what data.arrays in the model's spec names, y_test, y_train or y."`
	Matrix      string `name:"confusion" placeholder:"FILE" help:"Draw the confusion matrix of a classification into this file, .png or .svg."`
	JSON        bool   `name:"json" help:"Print a line of JSON on a terminal too. Without it, a terminal gets a table, and anything else the line."`
}

// Validate checks the flags; kong calls it.
func (c *EvaluateCommand) Validate() error {
	if c.Input == "" {
		return errors.New("missing flags: --input=FILE")
	}
	if ext := filepath.Ext(c.Matrix); c.Matrix != "" && ext != ".png" && ext != ".svg" {
		return fmt.Errorf("--confusion: %q: want a name that ends in .png or .svg", c.Matrix)
	}
	return nil
}

// Help returns the text that --help shows after the command's description.
func (*EvaluateCommand) Help() string {
	return `The loss and the metrics are those of the model's spec. For the same rows in the same order they are the same, bit for
bit, as those that training reported, on any machine. As in training, rows without a label are left out, and rows with
missing values, unless the spec fills them in; a note says how many. Duplicates count, also if training dropped them.
Everything is printed at the end, or nothing: the error names the first row at fault. Notes are printed on standard
error; in JSON they are in the object's notes.`
}

// Run prints the metrics to standard output.
func (c *EvaluateCommand) Run(ctx lifecycle.Contexts) error {
	v, err := c.evaluate(ctx.Soft)
	if err != nil {
		return err
	}
	if err := c.draw(v); err != nil {
		return fmt.Errorf("--confusion: %w", err)
	}
	if c.JSON || !term.IsTerminal(int(os.Stdout.Fd())) {
		return readable.Print(os.Stdout, v)
	}
	return printMetrics(os.Stdout, os.Stderr, v)
}

// evaluate opens the files and evaluates the model.
func (c *EvaluateCommand) evaluate(ctx context.Context) (*registry.Evaluation, error) {
	if c.Input == standardInput && c.Labels == standardInput {
		return nil, errors.New("--labels: -: --input reads standard input already, want a file")
	}
	m, err := registry.Load(c.Model)
	if err != nil {
		return nil, err
	}
	in := newReader()
	var given registry.OpenLabels
	var opened *ingest.Labels
	defer func() {
		if opened != nil {
			opened.Close()
		}
	}()
	if source := c.labels(); source != "" {
		given = func(columns int) (registry.LabelRows, error) {
			labels, err := in.Labels(ctx, &m.Card.Spec.Data, ingest.Reading{Source: source, Array: c.LabelsArray}, columns)
			if err != nil {
				return nil, fmt.Errorf("%s: %w", source, err)
			}
			opened = labels
			return labels, nil
		}
	}
	v, err := m.EvaluateRows(ctx, func(extra []string, row dataset.EachRow) error { return c.read(ctx, in, m, extra, row) }, given)
	if err != nil {
		return nil, c.fault(err)
	}
	return v, nil
}

// labels returns the source of the labels, "" if the rows have them.
func (c *EvaluateCommand) labels() string {
	if c.Labels == "" && c.arraysWithLabels() {
		return c.Input
	}
	return c.Labels
}

// draw draws the confusion matrix into the file that the flag names.
func (c *EvaluateCommand) draw(v *registry.Evaluation) error {
	if c.Matrix == "" {
		return nil
	}
	if v.Confusion == nil {
		return fmt.Errorf("the model has no confusion matrix: want a classification of at most %d classes: %w", job.MaxConfusion, job.ErrInvalid)
	}
	svg, raster, err := report.Confusion(string(v.Model), v.Confusion.Names(), v.Confusion.Matrix)
	if err != nil {
		return err
	}
	if filepath.Ext(c.Matrix) == ".svg" {
		raster = svg
	}
	return registry.WriteFile(filepath.Dir(c.Matrix), filepath.Base(c.Matrix), raster)
}

// maxPrinted is the most classes of a confusion matrix that is printed for people.
const maxPrinted = 12

// printConfusion prints a confusion matrix, unless it has too many classes.
func printConfusion(w io.Writer, v *registry.Evaluation) error {
	if v.Confusion == nil || len(v.Confusion.Classes) > maxPrinted {
		return nil
	}
	classes := v.Confusion.Names()
	fmt.Fprint(w, "\nrows by class (down: the label, across: the prediction)\n")
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', tabwriter.AlignRight)
	row := func(name string, cells func(i int) string) {
		fmt.Fprint(t, name, "\t")
		for i := range classes {
			fmt.Fprint(t, cells(i), "\t")
		}
		fmt.Fprintln(t)
	}
	row("", func(i int) string { return className(classes[i]) })
	for label, counts := range v.Confusion.Matrix {
		row(className(classes[label]), func(i int) string { return strconv.FormatInt(counts[i], 10) })
	}
	return t.Flush()
}

// className returns a class as a terminal can show it in a column.
func className(class string) string {
	const most = 12
	text, err := line(class)
	if err != nil {
		return "?"
	}
	if r := []rune(text); len(r) > most {
		return string(r[:most-1]) + "…"
	}
	return text
}

// printMetrics prints an evaluation for people, and its notes beside it.
func printMetrics(w, aside io.Writer, v *registry.Evaluation) error {
	fmt.Fprintf(w, "model %s on %s rows\n\n", v.Model, humanize.Comma(int64(v.Rows)))
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	names := slices.Sorted(maps.Keys(v.Metrics))
	if i := slices.Index(names, job.LossFigure); i >= 0 {
		names = slices.Insert(slices.Delete(names, i, i+1), 0, job.LossFigure)
	}
	for _, name := range names {
		fmt.Fprintf(t, "%s\t%s\n", name, progress.Figure(v.Metrics[name]))
	}
	for _, name := range slices.Sorted(maps.Keys(v.Undefined)) {
		fmt.Fprintf(t, "%s\tundefined: %s\n", name, v.Undefined[name])
	}
	if d := v.Threshold; d != nil {
		fmt.Fprintf(t, "from a probability of %s on\taccuracy %s, balanced accuracy %s, precision %s, recall %s, F1 %s\n", progress.Figure(float64(d.Probability)),
			progress.Figure(d.Accuracy), progress.Figure(d.BalancedAccuracy), progress.Figure(d.Precision), progress.Figure(d.Recall), progress.Figure(d.F1))
	}
	printNotes(aside, v.Notes)
	if err := t.Flush(); err != nil {
		return err
	}
	return printConfusion(w, v)
}
