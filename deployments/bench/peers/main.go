// Command peers trains the same models with Tributary and with PyTorch on one machine, in
// turn, and repeats this. It prints a table of ratios:
//
//	make bench-peers
//
// It owns the cases, the order of runs and the table; fleet runs Tributary and
// torch_peer.py runs PyTorch. A run starts when the machine is quiet. The table shows how
// much of the machine other programs used during the runs.
//
// Invariant: the command fails if two of Tributary's runs of one spec differ in one bit
// of the parameters, for any processes and slots. It also fails if the losses of the two
// programs are too far apart.
package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"regexp"
	"slices"
	"time"

	"github.com/alecthomas/kong"

	"tributary/deployments/bench/fleet"
	"tributary/shared/lifecycle"
)

// command holds the settings.
type command struct {
	Repeats      int           `default:"5" help:"Runs of each configuration, 1 to 100; the table has medians."`
	Only         string        `default:"." placeholder:"REGEXP" help:"Configurations whose name matches, such as 'b (tributary|torch DDP)'; see --list."`
	Microbatches int           `default:"2" help:"Micro-batches of Tributary's cases a, b and c, 1 to 512; b is also run with 16."`
	MaxOther     float64       `default:"15" placeholder:"PERCENT" help:"Repeat a run, at most twice, if other programs used more of the machine."`
	Patience     time.Duration `default:"90s" help:"How long a run waits until other programs leave the machine idle, 0s to 1h."`
	Short        bool          `help:"Few steps and no waiting, to see that everything works."`
	List         bool          `help:"List the configurations and exit."`
	Bin          string        `placeholder:"DIR" help:"Folder with coordinator and worker; default: they are built."`
	Out          string        `default:"bin/peers.jsonl" placeholder:"FILE" help:"File for the results: one JSON object per line and run."`
	Picture      string        `default:"bin/peers.svg" placeholder:"FILE" help:"The picture."`

	only *regexp.Regexp
}

// Validate checks the settings. kong calls it.
func (c *command) Validate() (err error) {
	if c.Repeats < 1 || c.Repeats > 100 {
		return fmt.Errorf("--repeats: %d: want 1 to 100", c.Repeats)
	}
	if c.Microbatches < 1 || c.Microbatches > 512 {
		return fmt.Errorf("--microbatches: %d: want 1 to 512", c.Microbatches)
	}
	if !(c.MaxOther > 0) {
		return fmt.Errorf("--max-other: %g: want more than 0 percent", c.MaxOther)
	}
	if c.Patience < 0 || c.Patience > time.Hour {
		return fmt.Errorf("--patience: %s: want 0s to 1h", c.Patience)
	}
	if c.Short {
		c.Patience, c.MaxOther = 0, 100
	}
	if c.only, err = regexp.Compile(c.Only); err != nil {
		return fmt.Errorf("--only: %q: want a regular expression: %w", c.Only, err)
	}
	return nil
}

func main() {
	var c command
	kong.Parse(&c, kong.Name("peers"), kong.Description("Trains the same models with Tributary and PyTorch and compares them."))
	err := lifecycle.Run(context.Background(), lifecycle.Config{}, func(ctx, _ context.Context) error { return c.run(ctx) })
	if err != nil && !errors.Is(err, lifecycle.ErrStopped) {
		fmt.Fprintln(os.Stderr, "peers:", err)
		os.Exit(1)
	}
}

func (c *command) run(ctx context.Context) error {
	chosen := configurations(c.Microbatches, c.Short)
	chosen = slices.DeleteFunc(chosen, func(k configuration) bool { return !c.only.MatchString(k.name()) })
	if c.List || len(chosen) == 0 {
		for _, k := range chosen {
			fmt.Fprintln(os.Stdout, k.name())
		}
		if !c.List {
			return fmt.Errorf("--only: %q: matches nothing; --list shows what there is", c.Only)
		}
		return nil
	}
	if slices.ContainsFunc(chosen, func(k configuration) bool { return k.torch != nil }) {
		if err := install(ctx); err != nil {
			return err
		}
		core, err := coreType(ctx)
		if err != nil {
			return err
		}
		if core != "" {
			fmt.Fprintln(os.Stderr, "OpenBLAS does not know this CPU; it is set to", core)
		}
		for _, k := range chosen {
			if k.torch != nil {
				k.torch.core = core
			}
		}
	}
	lab, err := fleet.NewLab(ctx, c.Bin)
	if err != nil {
		return err
	}
	defer lab.Close()
	results, err := c.measure(ctx, lab, chosen)
	if err != nil {
		return err
	}
	fmt.Fprint(os.Stdout, table(results))
	if err := paint(c.Picture, results); err != nil {
		return err
	}
	return agree(results)
}
