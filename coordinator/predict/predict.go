// Package predict has the commands that use a saved model on the rows of a file: predict
// prints its answers, and evaluate prints its metrics on labelled rows.
//
// It owns the commands' input and output, and their notes on standard error. It leaves the
// predictions to the model (shared/registry). It needs no server. The coordinator's main
// package runs it.
//
// Invariant: predict prints one answer for each row, in the order of the rows. Its memory is
// that of a few rows, for any length of the file. If a row cannot be answered, it fails
// and names the row; by then it has printed exactly the lines of all rows before it. With
// --json it prints everything or nothing.
package predict

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"

	"tributary/shared/dataset"
	"tributary/shared/drift"
	"tributary/shared/lifecycle"
	"tributary/shared/registry"
)

// Command is the predict command's settings.
type Command struct {
	Model  string   `arg:"" type:"path" name:"model-dir" help:"Folder of a saved model, as train leaves it."`
	Input  string   `name:"input" placeholder:"FILE" help:"File of rows, packed as .gz, .zst, .bz2 or .zip too; - reads standard input. CSV: with a header that names the model's columns in any order. IDX: the file of images alone. JSON: rows in the form of the predict subject, one after the other, in an array, or in {\"rows\": […]}."`
	Format string   `name:"format" default:"auto" enum:"auto,csv,idx,json" help:"Format of the input: csv, idx, json, or auto, the default: a file that begins with two zero bytes is IDX, one that begins with a bracket or a brace is JSON, any other is CSV."`
	JSON   bool     `name:"json" xor:"output" help:"Print one JSON object with predictions, classes and probabilities, instead of one prediction per line."`
	Output string   `name:"output-format" xor:"output" default:"text" enum:"text,csv,jsonl" help:"text, the default, prints one prediction per line. csv and jsonl print columns: the row's number from 1, or the columns of --id; prediction; and for a classification probability_CLASS for each class. csv has a header; jsonl has one JSON object per line."`
	Drift  bool     `name:"drift" help:"Compare the rows with the training rows: unseen categories, numbers out of range, and the population stability index of each column. It is printed on standard error; with --json it is in the object."`
	Info   bool     `name:"info" help:"Print what the model is and what its training rows were like, instead of predictions."`
	ID     []string `name:"id" sep:"none" placeholder:"COLUMN" help:"Print this column of the input with each prediction, as it is in the file, instead of the row's number; for csv and jsonl. Repeat it for more columns. It need not be a column of the model."`
}

// Validate checks the flags; kong calls it.
func (c *Command) Validate() error {
	if len(c.ID) > 0 && (c.JSON || c.Output == "" || c.Output == "text") {
		return errors.New("--id: want --output-format csv or jsonl, which have columns")
	}
	switch {
	case c.Info && (c.Input != "" || c.Drift || len(c.ID) > 0):
		return errors.New("--info: want no --input, --drift or --id: it predicts nothing")
	case !c.Info && c.Input == "":
		return errors.New("missing flags: --input=FILE (or --info)")
	}
	return nil
}

// Help returns the text that --help shows after the command's description.
func (*Command) Help() string {
	return `Each row has one answer, in the order of the rows. The command stops at the first row that it cannot answer. The
error names the row's line (CSV) or its number from 1 (IDX, JSON). Without --json, the answers of the rows before it
are printed; with --json, nothing is printed. In a CSV file with one column, a blank line between rows is a missing
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
	in, err := open("--input", c.Input)
	if err != nil {
		return err
	}
	defer in.Close()
	return c.predict(ctx.Soft, m, in, os.Stdout, os.Stderr)
}

// open opens a file that a flag names; - is standard input.
func open(flag, path string) (io.ReadCloser, error) {
	if path == "-" {
		return io.NopCloser(os.Stdin), nil
	}
	f, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", flag, err)
	}
	return f, nil
}

// predict prints the predictions for the rows of in to w. It prints notes to aside,
// unless they are in the JSON object.
func (c *Command) predict(ctx context.Context, m *registry.Model, in io.Reader, w, aside io.Writer) error {
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
	notes, err := m.PredictFile(ctx, in, dataset.Reading{Format: dataset.InputFormat(c.Format), Extra: c.ID}, out.print)
	if err != nil {
		err = fmt.Errorf("--input %s: %w", c.Input, err)
	}
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
	if c.JSON {
		object, err := newObject(w, m)
		if err != nil {
			return nil, nil, err
		}
		return object, object.close, nil
	}
	var form func(w, aside io.Writer, names []string) (*columns, error)
	switch c.Output {
	case "csv":
		form = newCSV
	case "jsonl":
		form = newJSONLines
	default:
		return newLines(w, aside), done, nil
	}
	names, err := outputColumns(m, c.ID)
	if err != nil {
		return nil, nil, err
	}
	out, err := form(w, aside, names)
	return out, done, err
}
