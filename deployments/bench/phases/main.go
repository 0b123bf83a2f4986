// Command phases shows how the time of a step is spent: what workers do in each phase,
// which programs use the processors meanwhile, and what passes through Redis:
//
//	make bench-phases
//
// It owns the cases and the table; fleet runs Tributary, and the workers measure the
// phases.
//
// Invariant: a row covers only steps from the middle of a training, when the workers have
// their data. So it contains neither ingest nor evaluation.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"regexp"
	"time"

	"github.com/alecthomas/kong"

	"tributary/deployments/bench/fleet"
	"tributary/shared/lifecycle"
)

// command holds the settings.
type command struct {
	Only     string        `default:"." placeholder:"REGEXP" help:"Cases whose name matches, such as \"c 2×1\"."`
	Short    bool          `help:"Some steps of the smallest case, to see that everything works."`
	Patience time.Duration `default:"30s" help:"How long a case waits until other programs leave the machine idle, 0s to 1h."`
	Bin      string        `placeholder:"DIR" help:"Folder with coordinator and worker; default: they are built."`

	only *regexp.Regexp
}

// Validate checks the settings. kong calls it.
func (c *command) Validate() (err error) {
	if c.Patience < 0 || c.Patience > time.Hour {
		return fmt.Errorf("--patience: %s: want 0s to 1h", c.Patience)
	}
	if c.only, err = regexp.Compile(c.Only); err != nil {
		return fmt.Errorf("--only: %q: want a regular expression: %w", c.Only, err)
	}
	return nil
}

func main() {
	var c command
	kong.Parse(&c, kong.Name("phases"), kong.Description("Shows where the time of a step goes."))
	err := lifecycle.Run(context.Background(), lifecycle.Config{}, func(ctx, _ context.Context) error { return c.run(ctx, os.Stdout) })
	if err != nil && !errors.Is(err, lifecycle.ErrStopped) {
		fmt.Fprintln(os.Stderr, "phases:", err)
		os.Exit(1)
	}
}

// scenario is a job on a fleet of workers with so many slots.
type scenario struct {
	of             string
	spec           fleet.Object
	steps          int
	workers, slots int
}

func (s scenario) name() string { return fmt.Sprintf("%s %d×%d", s.of, s.workers, s.slots) }

// scenarios returns the jobs of the benchmark peers, each for some seconds.
func (c *command) scenarios() []scenario {
	if c.Short {
		return []scenario{{"tiny", fleet.Tiny(4000, 2), 4000, 2, 1}}
	}
	mnist := func(name string, optimizer fleet.Object, hidden ...int) fleet.Object {
		spec := fleet.MNIST(name, optimizer, 1, 2, hidden...)
		delete(spec, "epochs")
		return spec
	}
	var out []scenario
	for _, s := range []struct {
		of            string
		spec          fleet.Object
		alone, shared int // number of steps with one worker and with two
	}{
		{"tiny", fleet.Tiny(0, 2), 2_000_000, 12_000},
		{"a", mnist("a", fleet.SGD(0.1)), 30_000, 8_000},
		{"b", mnist("b", fleet.Adam(1e-3), 256, 128), 3_000, 1_200},
		{"c", mnist("c", fleet.SGD(0.1), 2048, 2048), 260, 260},
	} {
		spec := func(steps int) fleet.Object {
			spec := maps.Clone(s.spec)
			spec["steps"] = steps
			return spec
		}
		out = append(out, scenario{s.of, spec(s.alone), s.alone, 1, 2}, scenario{s.of, spec(s.shared), s.shared, 2, 1})
	}
	return out
}

func (c *command) run(ctx context.Context, out io.Writer) error {
	lab, err := fleet.NewLab(ctx, c.Bin)
	if err != nil {
		return err
	}
	defer lab.Close()
	fmt.Fprint(out, head())
	for _, s := range c.scenarios() {
		if !c.only.MatchString(s.name()) {
			continue
		}
		if err := fleet.Quiet(ctx, 10, c.Patience); err != nil {
			return err
		}
		w, err := s.watch(ctx, lab)
		if err != nil {
			return fmt.Errorf("%s: %w", s.name(), err)
		}
		fmt.Fprint(out, w.row(s))
	}
	return nil
}
