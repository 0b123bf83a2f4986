// Package predict is the predict command: a saved model's answers for the rows of a file.
//
// It owns the command's input and output, and its notes on standard error. It leaves the
// predictions to the model (shared/registry). It needs no server. The coordinator's main
// package runs it.
//
// Invariant: it prints one answer for each row, in the order of the rows. Its memory is
// that of a few rows, for any length of the file. If a row cannot be answered, it fails
// and names the row; by then it has printed exactly the lines of all rows before it. With
// --json it prints everything or nothing.
package predict

import (
	"context"
	"fmt"
	"io"
	"os"

	"tributary/shared/dataset"
	"tributary/shared/lifecycle"
	"tributary/shared/registry"
)

// Command is the predict command's settings.
type Command struct {
	Model  string `arg:"" type:"path" name:"model-dir" help:"Folder of a saved model, as train leaves it."`
	Input  string `name:"input" required:"" placeholder:"FILE" help:"File of rows, packed as .gz, .zst, .bz2 or .zip too; - reads standard input. CSV: with a header that names the model's columns in any order. IDX: the file of images alone. JSON: rows in the form of the predict subject, one after the other, in an array, or in {\"rows\": […]}."`
	Format string `name:"format" default:"auto" enum:"auto,csv,idx,json" help:"Format of the input: csv, idx, json, or auto, the default: a file that begins with two zero bytes is IDX, one that begins with a bracket or a brace is JSON, any other is CSV."`
	JSON   bool   `name:"json" help:"Print one JSON object with predictions, classes and probabilities, instead of one prediction per line."`
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
	in := io.Reader(os.Stdin)
	if c.Input != "-" {
		f, err := os.Open(c.Input)
		if err != nil {
			return fmt.Errorf("--input: %w", err)
		}
		defer f.Close()
		in = f
	}
	return c.predict(ctx.Soft, m, in, os.Stdout, os.Stderr)
}

// predict prints the predictions for the rows of in to w. It prints notes to aside,
// unless they are in the JSON object.
func (c *Command) predict(ctx context.Context, m *registry.Model, in io.Reader, w, aside io.Writer) error {
	out := printer(newLines(w, aside))
	if c.JSON {
		object, err := newObject(w, m)
		if err != nil {
			return err
		}
		defer object.close()
		out = object
	}
	notes, err := m.PredictFile(ctx, in, dataset.InputFormat(c.Format), out.print)
	if err != nil {
		err = fmt.Errorf("--input %s: %w", c.Input, err)
	}
	return out.end(notes, err)
}
