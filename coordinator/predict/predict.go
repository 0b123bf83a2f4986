// Package predict has the commands that use a saved model on the rows of a file: predict
// prints its answers, and evaluate prints its metrics on labelled rows.
//
// It owns the commands' input and output, and their notes on standard error. It leaves the
// reading of the rows to package ingest, and the predictions to the model (shared/registry). It needs no server. The coordinator's main
// package runs it.
//
// Invariant: predict prints one answer for each row, in the order of the rows. Its memory is
// that of a few rows (Parquet, Arrow: of pages or a batch), for any length of the file. If a row cannot be answered, it fails
// and names the row; by then it has printed exactly the lines of all rows before it. With
// --json it prints everything or nothing.
package predict

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"

	"golang.org/x/term"

	"tributary/coordinator/ingest"
	"tributary/shared/dataset"
	"tributary/shared/drift"
	"tributary/shared/lifecycle"
	"tributary/shared/registry"
)

// Command is the predict command's settings.
type Command struct {
	Model        string `arg:"" type:"path" name:"model-dir" help:"Folder of a saved model, as train leaves it."`
	Rows         `embed:""`
	JSON         bool     `name:"json" xor:"output" help:"Print one JSON object with predictions, classes and probabilities, instead of one prediction per line."`
	OutputFormat string   `name:"output-format" xor:"output" default:"" enum:",text,csv,jsonl,parquet" placeholder:"FORMAT" help:"text, the default, prints one prediction per line. csv, jsonl and parquet have columns: the row's number from 1, or the columns of --id; prediction; and for a classification probability_CLASS for each class. csv has a header; jsonl has one JSON object per line."`
	Output       string   `name:"output" placeholder:"FILE" help:"Write the answers into this file instead of standard output. Its name shows the format (.csv, .jsonl, .ndjson, .parquet, .txt) unless a flag does. It appears when all rows are answered."`
	Drift        bool     `name:"drift" help:"Compare the rows with the training rows: unseen categories, numbers out of range, and the population stability index of each column. It is printed on standard error; with --json it is in the object."`
	Info         bool     `name:"info" help:"Print what the model is and what its training rows were like, instead of predictions."`
	ID           []string `name:"id" sep:"none" placeholder:"COLUMN" help:"Print this column of the input with each prediction, as it is in the file, instead of the row's number; for csv, jsonl and parquet. Repeat it for more columns. It need not be a column of the model."`
}

// Validate checks the flags; kong calls it.
func (c *Command) Validate() error {
	form, err := c.form()
	switch {
	case err != nil:
		return err
	case len(c.ID) > 0 && (form == "json" || form == "text"):
		return errors.New("--id: want --output-format csv, jsonl or parquet, which have columns")
	case c.Info && (c.Input != "" || c.Output != "" || c.Drift || len(c.ID) > 0):
		return errors.New("--info: want no --input, --output, --drift or --id: it predicts nothing")
	case !c.Info && c.Input == "":
		return errors.New("missing flags: --input=FILE (or --info)")
	}
	return nil
}

// Help returns the text that --help shows after the command's description.
func (*Command) Help() string {
	return `Each row has one answer, in the order of the rows. The command stops at the first row that it cannot answer. The
error names the row's line (CSV, LIBSVM) or its number from 1, and the file if there are several. The answers of the
rows before it are printed, but nothing with --json, and no file of --output appears. In a CSV file with one column, a blank line between rows is a missing
value. With more columns it is an error. Blank lines at the end of the file are ignored. A class is printed as a JSON
string if it has a line break or another control character, or begins with a quotation mark. Several outputs are
printed as a JSON array. Notes follow at the end, on standard error; with --json they are in the object's notes. They
name what the training rows did not have: categories that the model does not know, and missing values that were filled.`
}

// Run prints the predictions to standard output.
func (c *Command) Run(ctx lifecycle.Contexts) error {
	m, err := registry.Load(c.Model)
	if err != nil {
		return err
	}
	if c.Info {
		return info(os.Stdout, m, c.JSON)
	}
	in := newReader()
	if c.Output != "" {
		return written(c.Output, func(w io.Writer) error { return c.predict(ctx.Soft, m, in, w, os.Stderr) })
	}
	if form, _ := c.form(); form == "parquet" && term.IsTerminal(int(os.Stdout.Fd())) {
		return errors.New("--output-format parquet: standard output is a terminal: want --output FILE")
	}
	return c.predict(ctx.Soft, m, in, os.Stdout, os.Stderr)
}

// predict prints the predictions for the rows that in reads to w. It prints notes to aside,
// unless they are in the JSON object.
func (c *Command) predict(ctx context.Context, m *registry.Model, in *ingest.Ingest, w, aside io.Writer) error {
	out, done, err := c.printer(m, w, aside)
	if err != nil {
		return err
	}
	defer done()
	var seen *drift.Counter
	if c.Drift {
		if seen, err = m.Compare(); err != nil {
			return fmt.Errorf("--%w", err)
		}
		m = m.Watching(seen)
	}
	notes, err := m.PredictRows(ctx, func(row dataset.EachRow) error { return c.read(ctx, in, m, c.ID, row) }, out.print)
	err = c.fault(err)
	if seen == nil {
		return out.end(notes, err)
	}
	report := seen.Report()
	if object, ok := out.(*object); ok {
		object.drift = report
		return out.end(notes, err)
	}
	err = out.end(notes, err)
	printDrift(aside, report)
	return err
}

// printer returns the printer that the flags ask for. The caller calls done at the end.
func (c *Command) printer(m *registry.Model, w, aside io.Writer) (_ printer, done func(), err error) {
	done = func() {}
	form, err := c.form()
	if err != nil {
		return nil, nil, err
	}
	switch form {
	case "json":
		object, err := newObject(w, m)
		if err != nil {
			return nil, nil, err
		}
		return object, object.close, nil
	case "text":
		return newLines(w, aside), done, nil
	}
	names, err := outputColumns(m, c.ID)
	if err != nil {
		return nil, nil, err
	}
	var out *columns
	switch form {
	case "csv":
		out, err = newCSV(w, aside, names)
	case "parquet":
		out, err = newParquet(w, aside, m, names, len(c.ID))
	default:
		out, err = newJSONLines(w, aside, names)
	}
	return out, done, err
}
