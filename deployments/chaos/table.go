package main

import (
	"context"
	"fmt"
	"math"
	"os"
	"strings"
	"sync"
	"time"
)

// play runs the scenarios, prints a line for each, and fails if one of them failed.
func (c *scenarios) play(ctx context.Context, l *lab, from []fault) error {
	fmt.Fprintf(os.Stdout, "seeds %d to %d\n\n", c.Seed, c.Seed+uint64(c.Scenarios)-1)
	fmt.Fprintln(os.Stdout, "| seed | job | coordinators, workers | faults | neighbours | pace | steps | redone | longest gap | took | result |")
	fmt.Fprintln(os.Stdout, "| --- | --- | --- | --- | --- | --- | --- | --- | --- | --- | --- |")
	var (
		mu     sync.Mutex
		failed []uint64
		faults int
		steps  int64
		done   int
		visits = map[string]int{}
	)
	seeds := make(chan uint64)
	var busy sync.WaitGroup
	for range c.Parallel {
		busy.Go(func() {
			for seed := range seeds {
				r := l.play(ctx, seed, c.script(seed, from))
				mu.Lock()
				if ctx.Err() == nil {
					fmt.Fprintln(os.Stdout, r.line())
					done, faults, steps = done+1, faults+len(r.struck), steps+r.steps
					for _, name := range r.neighbours {
						visits[name]++
					}
					if r.err != nil {
						failed = append(failed, seed)
					}
				}
				mu.Unlock()
			}
		})
	}
	for i := range c.Scenarios {
		select {
		case seeds <- c.Seed + uint64(i):
		case <-ctx.Done():
		}
	}
	close(seeds)
	busy.Wait()
	fmt.Fprintf(os.Stdout, "\n%d scenarios, %d faults, %d steps, neighbours: %s: %d failed\n", done, faults, steps, tally(visits), len(failed))
	if ctx.Err() != nil {
		return ctx.Err()
	}
	if len(failed) > 0 {
		return fmt.Errorf("seeds %v failed; their logs are in %s; again: go run ./deployments/chaos%s --seed %d --scenarios 1", failed, l.logs, c.flags(), failed[0])
	}
	return nil
}

// flags returns the flags, other than the seed, that chose the scenarios.
func (c *scenarios) flags() string {
	var b strings.Builder
	if c.Hostile {
		b.WriteString(" --hostile")
	}
	if len(c.Neighbours) > 0 {
		b.WriteString(" --neighbours " + strings.Join(c.Neighbours, ","))
	}
	if len(c.Faults) > 0 {
		b.WriteString(" --faults " + strings.Join(c.Faults, ","))
	}
	if c.Job != "" {
		b.WriteString(" --job " + c.Job)
	}
	return b.String()
}

// tally lists how often each neighbour took part.
func tally(visits map[string]int) string {
	var all []string
	for _, n := range neighbours {
		if visits[n.name] > 0 {
			all = append(all, fmt.Sprintf("%s %d", n.name, visits[n.name]))
		}
	}
	if len(all) == 0 {
		return "none"
	}
	return strings.Join(all, ", ")
}

// line returns one row of the table.
func (r *result) line() string {
	outcome := "same bits"
	if r.err != nil {
		outcome = "**" + strings.ReplaceAll(r.err.Error(), "\n", "; ") + "**"
	}
	neighbours, pace := "none", "–"
	if len(r.neighbours) > 0 {
		neighbours = strings.Join(r.neighbours, ", ")
	}
	if !math.IsNaN(r.pace) {
		pace = fmt.Sprintf("%.2f", r.pace)
	}
	return fmt.Sprintf("| %d | %s | %d, %d | %s | %s | %s | %d | %d | %.2f s | %.1f s | %s |",
		r.seed, r.job, r.coordinators, r.workers, strings.Join(r.struck, "; "), neighbours, pace, r.steps, r.redone, r.gap.Seconds(), r.took.Round(100*time.Millisecond).Seconds(), outcome)
}
