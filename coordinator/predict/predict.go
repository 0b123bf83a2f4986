// Package predict is the predict command: a saved model's answers for the rows
// of a file.
//
// It owns the command's input and output, and notes to standard error; the model predicts by itself
// (shared/registry). No server takes part.
//
// Invariant: it prints every prediction or fails with none.
package predict

import (
	"bufio"
	"fmt"
	"io"
	"os"
	"strings"
	"unicode"

	"tributary/shared/lifecycle"
	"tributary/shared/readable"
	"tributary/shared/registry"
)

// Command is the predict command's settings.
type Command struct {
	Model string `arg:"" type:"path" name:"model-dir" help:"Folder of a saved model, as train leaves it."`
	Input string `name:"input" required:"" placeholder:"FILE" help:"CSV file (.gz too) with a header that names the model's columns in any order; - reads standard input."`
	JSON  bool   `name:"json" help:"Print one JSON object with predictions, classes and probabilities, instead of a prediction a line (a class with a line break in it is then a JSON text)."`
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
	p, err := m.PredictCSV(ctx.Soft, in, 0)
	if err != nil {
		return fmt.Errorf("--input %s: %w", c.Input, err)
	}
	if err := c.write(os.Stdout, p); err != nil {
		return err
	}
	if c.JSON {
		return nil // which has them
	}
	for _, note := range p.Notes {
		fmt.Fprintln(os.Stderr, "note: "+note)
	}
	return nil
}

// write writes the predictions: a line each, or all of it as JSON.
func (c *Command) write(w io.Writer, p *registry.Prediction) error {
	if c.JSON {
		return readable.Print(w, p)
	}
	out := bufio.NewWriter(w)
	for _, v := range p.Predictions {
		text, err := line(v)
		if err != nil {
			return err
		}
		if _, err := fmt.Fprintln(out, text); err != nil {
			return err
		}
	}
	return out.Flush()
}

// line writes a prediction in one line: a class as it is, a number in as many digits as
// read back to it, several outputs as a JSON array. A class that would not be one
// line, or that begins as JSON's texts do, is written as such a text.
func line(v any) (string, error) {
	class, ok := v.(string)
	if ok && !strings.HasPrefix(class, `"`) && !strings.ContainsFunc(class, breaks) {
		return class, nil
	}
	text, err := readable.JSON(v)
	return string(text), err
}

// breaks reports whether a rune may end a line, or steer a terminal: C0 and C1 controls,
// and Unicode's line and paragraph separators.
func breaks(r rune) bool { return unicode.IsControl(r) || r == '\u2028' || r == '\u2029' }
