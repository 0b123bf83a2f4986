// Command chaos trains jobs on real processes while it kills, pauses, cuts off,
// slows down and wipes parts of the fleet, and holds every result against
// training in one plain loop:
//
//	go run ./deployments/chaos --scenarios 20
//
// A seed chooses the job, the fleet, the faults and when they strike; it is
// printed, and --seed plays it again. A real nats-server and redis-server are
// started for each scenario (redis-server must be in PATH), and every process
// speaks to them through a proxy of its own.
//
// With --hostile, and for every third seed without it, strangers use the same servers
// meanwhile: jobs that do not fit or diverge, forged notices, tasks and records, floods.
//
// It owns processes, faults, neighbours and the table; the fleet under test is the two
// programs as they are shipped.
//
// Invariant: a scenario passes only when the job has succeeded with the very
// digest that shared/serial computes, every step of it is verified over NATS,
// nothing is left in Redis, no coordinator or worker ended by itself or panicked, and the
// job kept its pace beside hostile neighbours, all of whose jobs could be removed.
package main

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"strings"

	"github.com/alecthomas/kong"

	"tributary/shared/lifecycle"
)

// scenarios is the command that plays seeds.
type scenarios struct {
	Seed      uint64   `help:"Seed of the first scenario; the next one's is one more. Default: a random one."`
	Scenarios int      `default:"10" help:"Number of scenarios, 1 to 100000."`
	Parallel  int      `default:"1" help:"Scenarios at a time, 1 to 64."`
	Faults    []string `placeholder:"NAME,…" help:"Only these faults; see --list."`
	Job       string   `placeholder:"NAME" help:"Only this job: digits, deep or house."`
	List      bool     `help:"List the faults and the neighbours, and end."`
	Hostile   bool     `help:"Give every scenario a hostile neighbour or two; otherwise every third seed has them."`
	// Neighbours implies Hostile.
	Neighbours []string `placeholder:"NAME,…" help:"Only these neighbours, in every scenario; see --list."`
	Logs       string   `default:"" placeholder:"FOLDER" help:"Keep the logs of failed scenarios here; default: a new folder in the system's own for such."`
}

// Validate is called by kong.
func (c *scenarios) Validate() error {
	if c.Scenarios < 1 || c.Scenarios > 100_000 {
		return fmt.Errorf("--scenarios: %d: want 1 to 100000", c.Scenarios)
	}
	if c.Parallel < 1 || c.Parallel > 64 {
		return fmt.Errorf("--parallel: %d: want 1 to 64", c.Parallel)
	}
	if c.Job != "" && jobByName(c.Job, 0) == nil {
		return fmt.Errorf("--job: %q: want one of %s", c.Job, strings.Join(jobNames(), ", "))
	}
	for _, name := range c.Neighbours {
		if neighbourByName(name) == nil {
			return fmt.Errorf("--neighbours: %q: want some of %s", name, strings.Join(neighbourNames(), ", "))
		}
	}
	_, err := chosen(c.Faults)
	return err
}

func main() {
	var c struct {
		Run  scenarios `cmd:"" default:"withargs" help:"Play seeded scenarios and print a table."`
		Soak soak      `cmd:"" help:"Train job after job under constant churn, and draw what is held meanwhile: it must stay flat."`
	}
	k := kong.Parse(&c, kong.Name("chaos"), kong.Description("Trains jobs while parts of the fleet die, and compares the final bits."))
	err := lifecycle.Run(context.Background(), lifecycle.Config{}, func(ctx, _ context.Context) error {
		k.BindTo(ctx, (*context.Context)(nil))
		return k.Run()
	})
	if err != nil && !errors.Is(err, lifecycle.ErrStopped) {
		fmt.Fprintln(os.Stderr, "chaos:", err)
		os.Exit(1)
	}
}

// Run is called by kong.
func (c *scenarios) Run(ctx context.Context) error {
	faults, err := chosen(c.Faults)
	if err != nil {
		return err
	}
	if c.List {
		for _, f := range faults {
			fmt.Fprintf(os.Stdout, "%-20s %s\n", f.name, f.what)
		}
		for _, n := range neighbours {
			fmt.Fprintf(os.Stdout, "%-20s %s\n", n.name, n.what)
		}
		return nil
	}
	if c.Seed == 0 {
		c.Seed = uint64(rand.Uint32())
	}
	lab, err := newLab(ctx, c.Logs)
	if err != nil {
		return err
	}
	defer lab.close()
	return c.play(ctx, lab, faults)
}
