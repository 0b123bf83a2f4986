// Command recovery measures what the death of a worker costs a job. It kills the busy one
// of two workers with SIGKILL in the middle of a training, several times:
//
//	make bench-recovery
//
// It owns the cases, the kill and the table; fleet runs Tributary as it is deployed.
//
// Invariant: every training ends with the same parameters as the first one of its case,
// which has no kill. Otherwise the command prints no table.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
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
	Only    string `default:"." placeholder:"REGEXP" help:"Cases whose name matches, such as \"mnist auto\"."`
	Repeats int    `default:"5" help:"Kills of each case, 1 to 100."`
	Bin     string `placeholder:"DIR" help:"Folder with coordinator and worker; default: they are built."`

	only *regexp.Regexp
}

// Validate checks the settings. kong calls it.
func (c *command) Validate() (err error) {
	if c.Repeats < 1 || c.Repeats > 100 {
		return fmt.Errorf("--repeats: %d: want 1 to 100", c.Repeats)
	}
	if c.only, err = regexp.Compile(c.Only); err != nil {
		return fmt.Errorf("--only: %q: want a regular expression: %w", c.Only, err)
	}
	return nil
}

func main() {
	var c command
	kong.Parse(&c, kong.Name("recovery"), kong.Description("Measures what the death of a worker costs."))
	err := lifecycle.Run(context.Background(), lifecycle.Config{}, func(ctx, _ context.Context) error { return c.run(ctx, os.Stdout) })
	if err != nil && !errors.Is(err, lifecycle.ErrStopped) {
		fmt.Fprintln(os.Stderr, "recovery:", err)
		os.Exit(1)
	}
}

// scenario is a job whose busy worker is killed.
type scenario struct {
	of    string
	spec  fleet.Object
	share string // the value of coordinator train's --share
}

func (s scenario) name() string { return s.of + " " + s.share }

// scenarios returns two jobs, each with both values of --share.
func scenarios() (all []scenario) {
	for _, share := range []string{"auto", "always"} {
		all = append(all,
			scenario{"tiny", fleet.Tiny(60_000, 2), share},
			scenario{"mnist", fleet.MNIST("mnist", fleet.Adam(0.001), 10, 2, 256, 128), share})
	}
	return all
}

func (c *command) run(ctx context.Context, out io.Writer) error {
	lab, err := fleet.NewLab(ctx, c.Bin)
	if err != nil {
		return err
	}
	defer lab.Close()
	fmt.Fprintln(out, "| job, --share | kills | from the kill to the next commit, ms: median (least to most) | longest time between two commits, ms: median (most), and without a kill | parameters |")
	fmt.Fprintln(out, "| --- | ---: | --- | --- | --- |")
	for _, s := range scenarios() {
		if !c.only.MatchString(s.name()) {
			continue
		}
		calm, err := c.try(ctx, lab, s, false)
		if err != nil {
			return fmt.Errorf("%s: %w", s.name(), err)
		}
		var after, gaps []time.Duration
		for range c.Repeats {
			m, err := c.try(ctx, lab, s, true)
			if err != nil {
				return fmt.Errorf("%s: %w", s.name(), err)
			}
			if m.parameters != calm.parameters {
				return fmt.Errorf("%s: parameters %s, without a kill %s", s.name(), m.parameters, calm.parameters)
			}
			after, gaps = append(after, m.after), append(gaps, m.gap)
		}
		slices.Sort(after)
		slices.Sort(gaps)
		fmt.Fprintf(out, "| %s | %d | %d (%d to %d) | %d (%d), %d | the same bits |\n", s.name(), c.Repeats,
			ms(after[len(after)/2]), ms(after[0]), ms(after[len(after)-1]), ms(gaps[len(gaps)/2]), ms(gaps[len(gaps)-1]), ms(calm.gap))
	}
	return nil
}

func ms(d time.Duration) int64 { return d.Round(time.Millisecond).Milliseconds() }
