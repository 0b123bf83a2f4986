// Command wires trains one model with every wire format and prints the cost of each: the
// bytes per step that Redis receives and sends, by Redis' own count, and the resulting
// loss and accuracy:
//
//	make bench-wires
//
// It owns the cases and the table; fleet runs Tributary.
//
// Invariant: the command fails if fleets of different sizes compute different bits.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"

	"github.com/alecthomas/kong"
	"github.com/dustin/go-humanize"

	"tributary/deployments/bench/fleet"
	"tributary/shared/job"
	"tributary/shared/lifecycle"
)

// command holds the settings.
type command struct {
	Workers []int  `default:"1,2,4" help:"Numbers of worker processes of one slot, each 1 to 64."`
	Epochs  int    `default:"5" help:"Epochs of each training, 1 to 1000."`
	Short   bool   `help:"A few steps by two workers with two formats, to see that everything works."`
	Bin     string `placeholder:"DIR" help:"Folder with coordinator and worker; default: they are built."`
}

// Validate checks the settings. kong calls it.
func (c *command) Validate() error {
	if c.Short {
		c.Workers, c.Epochs = []int{2}, 1
	}
	for _, w := range c.Workers {
		if w < 1 || w > 64 {
			return fmt.Errorf("--workers: %d: want 1 to 64", w)
		}
	}
	if c.Epochs < 1 || c.Epochs > 1000 {
		return fmt.Errorf("--epochs: %d: want 1 to 1000", c.Epochs)
	}
	return nil
}

func main() {
	var c command
	kong.Parse(&c, kong.Name("wires"), kong.Description("Trains one model with every wire format and compares bytes and accuracy."))
	err := lifecycle.Run(context.Background(), lifecycle.Config{}, func(ctx, _ context.Context) error { return c.run(ctx, os.Stdout) })
	if err != nil && !errors.Is(err, lifecycle.ErrStopped) {
		fmt.Fprintln(os.Stderr, "wires:", err)
		os.Exit(1)
	}
}

// formats are the rows of the table.
var formats = []struct {
	wire job.Wire
	keep float64
}{{job.WireFloat32, 0}, {job.WireBfloat16, 0}, {job.WireInt8, 0}, {job.WireTopK, 0.1}, {job.WireTopK, 0.01}}

func (c *command) run(ctx context.Context, out io.Writer) error {
	lab, err := fleet.NewLab(ctx, c.Bin)
	if err != nil {
		return err
	}
	defer lab.Close()
	head, rule := "| wire |", "| --- |"
	for _, w := range c.Workers {
		head += fmt.Sprintf(" in, %d worker(s) | out |", w)
		rule += " ---: | ---: |"
	}
	fmt.Fprintf(out, "%s loss | test loss | test accuracy |\n%s ---: | ---: | ---: |\n", head, rule)
	for _, f := range formats {
		if c.Short && f.wire != job.WireFloat32 && f.wire != job.WireInt8 {
			continue
		}
		spec := fleet.MNIST("wires", fleet.Adam(0.001), c.Epochs, 8, 256, 128)
		spec["metrics"] = []string{"accuracy"}
		spec["evaluate"] = fleet.Object{"every_epochs": c.Epochs} // so nearly all bytes belong to steps
		spec["data"].(fleet.Object)["split"] = fleet.Object{"train": 0.9, "test": 0.1}
		spec["wire"] = f.wire
		name := string(f.wire)
		if f.keep != 0 {
			spec["wire_keep"] = f.keep
			name += ", " + strconv.FormatFloat(f.keep, 'g', -1, 64)
		}
		if c.Short {
			delete(spec, "epochs")
			delete(spec, "evaluate")
			spec["steps"] = 6
		}
		var first *fleet.Outcome
		row := []string{name}
		for _, w := range c.Workers {
			o, in, sent, err := train(ctx, lab, w, spec)
			if err != nil {
				return err
			}
			if first == nil {
				first = o
			}
			if o.Parameters != first.Parameters {
				return fmt.Errorf("wire %s: %d workers come to parameters %s, %d to %s", name, w, o.Parameters, c.Workers[0], first.Parameters)
			}
			row = append(row, bytes(in, o), bytes(sent, o))
		}
		test := first.Metrics[job.Test]
		fmt.Fprintf(out, "| %s | %.4f | %.4f | %.2f %% |\n", strings.Join(row, " | "), first.TrainLoss, test["loss"], 100*test["accuracy"])
	}
	return nil
}

func bytes(n float64, o *fleet.Outcome) string { return humanize.IBytes(uint64(n / float64(o.Steps))) }

// train trains the spec with so many workers. It returns the bytes that Redis received
// and sent meanwhile.
func train(ctx context.Context, lab *fleet.Lab, workers int, spec fleet.Object) (_ *fleet.Outcome, in, out float64, err error) {
	f, err := lab.Start(ctx, fleet.Servers{}, workers, 1)
	if err != nil {
		return nil, 0, 0, err
	}
	defer f.Close()
	in0, out0, err := f.Traffic(ctx)
	if err != nil {
		return nil, 0, 0, err
	}
	o, err := f.Train(ctx, spec, "--share", "always")
	if err != nil {
		return nil, 0, 0, err
	}
	in, out, err = f.Traffic(ctx)
	return o, in - in0, out - out0, err
}
