package main

import (
	"context"
	"fmt"
	"os"
	"strings"
	"sync"
	"time"
)

// play runs the scenarios, prints a line for each, and fails when one did.
func (c *scenarios) play(ctx context.Context, l *lab, from []fault) error {
	fmt.Fprintf(os.Stdout, "seeds %d to %d\n\n", c.Seed, c.Seed+uint64(c.Scenarios)-1)
	fmt.Fprintln(os.Stdout, "| seed | job | coordinators, workers | faults | steps | redone | longest gap | took | result |")
	fmt.Fprintln(os.Stdout, "| --- | --- | --- | --- | --- | --- | --- | --- | --- |")
	var (
		mu     sync.Mutex
		failed []uint64
		faults int
		steps  int64
		done   int
	)
	seeds := make(chan uint64)
	var busy sync.WaitGroup
	for range c.Parallel {
		busy.Go(func() {
			for seed := range seeds {
				r := l.play(ctx, seed, c.Job, from)
				mu.Lock()
				if ctx.Err() == nil {
					fmt.Fprintln(os.Stdout, r.line())
					done, faults, steps = done+1, faults+len(r.struck), steps+r.steps
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
	fmt.Fprintf(os.Stdout, "\n%d scenarios, %d faults, %d steps: %d failed\n", done, faults, steps, len(failed))
	if ctx.Err() != nil {
		return ctx.Err()
	}
	if len(failed) > 0 {
		return fmt.Errorf("seeds %v failed; their logs are in %s; again: go run ./deployments/chaos --seed %d --scenarios 1", failed, l.logs, failed[0])
	}
	return nil
}

// line is a row of the table.
func (r *result) line() string {
	outcome := "same bits"
	if r.err != nil {
		outcome = "**" + strings.ReplaceAll(r.err.Error(), "\n", "; ") + "**"
	}
	return fmt.Sprintf("| %d | %s | %d, %d | %s | %d | %d | %.2f s | %.1f s | %s |",
		r.seed, r.job, r.coordinators, r.workers, strings.Join(r.struck, "; "), r.steps, r.redone, r.gap.Seconds(), r.took.Round(100*time.Millisecond).Seconds(), outcome)
}
