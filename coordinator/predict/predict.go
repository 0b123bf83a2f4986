// Package predict is the predict command: a saved model's answers for the rows
// of a file.
//
// It owns the command's input and output; the model predicts by itself
// (shared/registry). No server takes part.
//
// Invariant: it prints every prediction or fails with none.
package predict

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"os"

	"tributary/shared/lifecycle"
	"tributary/shared/registry"
)

// Command is the predict command's settings.
type Command struct {
	Model string `arg:"" type:"path" name:"model-dir" help:"Folder of a saved model, as train leaves it."`
	Input string `name:"input" required:"" placeholder:"FILE" help:"CSV file (.gz too) with a header that names the model's columns in any order; - reads standard input."`
	JSON  bool   `name:"json" help:"Print one JSON object with predictions, classes and probabilities, instead of a prediction a line."`
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
	return c.print(os.Stdout, p)
}

func (c *Command) print(w io.Writer, p *registry.Prediction) error {
	if c.JSON {
		return json.NewEncoder(w).Encode(p)
	}
	out := bufio.NewWriter(w)
	for _, v := range p.Predictions {
		if _, err := fmt.Fprintln(out, v); err != nil {
			return err
		}
	}
	return out.Flush()
}
