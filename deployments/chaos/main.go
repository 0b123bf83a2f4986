// Command chaos trains jobs on real processes. Meanwhile it kills, pauses, disconnects,
// slows down and wipes parts of the fleet. It compares every result with training in one
// plain loop:
//
//	go run ./deployments/chaos --scenarios 20
//
// A seed chooses the job, the fleet, the faults and their times. The command prints the
// seed, and --seed repeats it. Each scenario starts a real nats-server and a real
// redis-server (redis-server must be in PATH). Every process connects to them through its
// own proxy.
//
// With --hostile, and for every third seed without it, hostile neighbours use the same
// servers meanwhile. They bring jobs that do not fit or diverge, forged notices, tasks
// and records, and floods of requests.
//
// It owns processes, faults, neighbours and the table. The fleet under test is the two
// programs as they are shipped.
//
// Invariant: a scenario passes only if all of this holds. The job has succeeded with
// exactly the digest that shared/serial computes. Every step of it is verified over NATS.
// Nothing is left in Redis. No coordinator or worker ended by itself or panicked. With
// hostile neighbours, the job kept its pace, and all of the neighbours' jobs could be
// removed.
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
	List      bool     `help:"List the faults and the neighbours, and exit."`
	Hostile   bool     `help:"Give every scenario one or two hostile neighbours; by default only every third seed has them."`
	// Neighbours implies Hostile.
	Neighbours []string `placeholder:"NAME,…" help:"Only these neighbours, in every scenario; see --list."`
	Logs       string   `default:"" placeholder:"FOLDER" help:"Keep the logs of failed scenarios here; default: a new folder in the system's temporary folder."`
}

// Validate checks the settings. kong calls it.
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
		Soak soak      `cmd:"" help:"Train job after job under constant churn, and draw the memory, keys, streams and goroutines in use: the curves must stay flat."`
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

// Run plays the scenarios. kong calls it.
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
