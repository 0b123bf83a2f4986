// Command growth measures how Tributary scales with the number of workers, parameters,
// jobs at once, rows, tasks, and servers. It writes each curve as a table in Markdown and
// as a picture:
//
//	make bench-growth
//
// It owns the curves; fleet runs the programs and chart draws. Every number comes from
// real servers and real processes. The only exception is the curve of workers that share
// one process.
//
// Invariant: a point is the median of its repeats. The repeats of all points of a curve
// are interleaved.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"time"

	"github.com/alecthomas/kong"

	"tributary/deployments/bench/chart"
	"tributary/deployments/bench/fleet"
	"tributary/shared/lifecycle"
)

// curves holds the settings of the command.
type curves struct {
	Only     string        `default:"." placeholder:"REGEXP" help:"Curves whose name matches: workers, parameters, jobs, rows, queue, cluster, plan."`
	Short    bool          `help:"Few points and steps, to see in less than a minute that everything works."`
	Repeats  int           `default:"3" help:"Runs of each point, 1 to 100; once with --short."`
	Rows     int           `default:"10000000" help:"Maximum rows of a dataset, 1000 to 100000000; the run writes a file of 50 bytes per row and removes it."`
	Patience time.Duration `default:"30s" help:"How long a run waits until other programs leave the machine idle, 0s to 1h."`
	Bin      string        `placeholder:"DIR" help:"Folder with coordinator and worker; default: they are built."`
	Out      string        `default:"bin/growth" placeholder:"DIR" help:"Folder for the pictures and tables."`

	only *regexp.Regexp
}

// Validate checks the settings. kong calls it.
func (c *curves) Validate() (err error) {
	if c.Repeats < 1 || c.Repeats > 100 {
		return fmt.Errorf("--repeats: %d: want 1 to 100", c.Repeats)
	}
	if c.Rows < 1000 || c.Rows > 100_000_000 {
		return fmt.Errorf("--rows: %d: want 1000 to 100000000", c.Rows)
	}
	if c.Patience < 0 || c.Patience > time.Hour {
		return fmt.Errorf("--patience: %s: want 0s to 1h", c.Patience)
	}
	if c.Short {
		c.Repeats, c.Patience, c.Rows = 1, 0, min(c.Rows, 10_000)
	}
	if c.only, err = regexp.Compile(c.Only); err != nil {
		return fmt.Errorf("--only: %q: want a regular expression: %w", c.Only, err)
	}
	return nil
}

func main() {
	var cli struct {
		Measure curves `cmd:"" default:"withargs" help:"Measure the curves, print tables and draw them."`
		Ingest  ingest `cmd:"" hidden:"" help:"Ingest a spec's data and print its time and memory; the curve of rows runs this in a separate process."`
	}
	k := kong.Parse(&cli, kong.Name("growth"), kong.Description("Measures how Tributary behaves as things grow."))
	err := lifecycle.Run(context.Background(), lifecycle.Config{}, func(ctx, _ context.Context) error {
		k.BindTo(ctx, (*context.Context)(nil))
		return k.Run()
	})
	if err != nil && !errors.Is(err, lifecycle.ErrStopped) {
		fmt.Fprintln(os.Stderr, "growth:", err)
		os.Exit(1)
	}
}

// curve is one picture.
type curve struct {
	name    string
	measure func(*curves, context.Context, *fleet.Lab) ([]chart.Panel, error)
}

var all = []curve{
	{"workers", (*curves).workers},
	{"parameters", (*curves).parameters},
	{"jobs", (*curves).jobs},
	{"rows", (*curves).rows},
	{"queue", (*curves).queue},
	{"cluster", (*curves).cluster},
	{"plan", (*curves).plan},
}

// Run measures the curves. kong calls it.
func (c *curves) Run(ctx context.Context) error {
	lab, err := fleet.NewLab(ctx, c.Bin)
	if err != nil {
		return err
	}
	defer lab.Close()
	if err := os.MkdirAll(c.Out, 0o750); err != nil {
		return err
	}
	found := false
	for _, k := range all {
		if !c.only.MatchString(k.name) {
			continue
		}
		found = true
		began := time.Now()
		panels, err := k.measure(c, ctx, lab)
		if err != nil {
			return fmt.Errorf("%s: %w", k.name, err)
		}
		fmt.Fprintf(os.Stderr, "%s: %s\n", k.name, time.Since(began).Round(time.Second))
		if err := c.keep(k.name, panels); err != nil {
			return err
		}
	}
	if !found {
		return fmt.Errorf("--only: %q: matches no curve", c.Only)
	}
	return nil
}

// keep prints a curve, and writes its picture and its numbers to files.
func (c *curves) keep(name string, panels []chart.Panel) error {
	fmt.Fprintf(os.Stdout, "\n## %s\n", name)
	for _, p := range panels {
		fmt.Fprint(os.Stdout, "\n", p.Table())
	}
	data, err := json.Marshal(panels)
	if err != nil {
		return err
	}
	if err := os.WriteFile(filepath.Join(c.Out, name+".json"), append(data, '\n'), 0o600); err != nil {
		return err
	}
	return chart.Write(filepath.Join(c.Out, name+".svg"), panels...)
}
