package main

import (
	"context"
	"errors"
	"fmt"
	"math"
	"runtime"
	"strings"
	"time"

	"tributary/deployments/bench/fleet"
	"tributary/worker/compute"
)

// window is two readings of a training, and the steps between them.
type window struct {
	first, last *fleet.Reading
	steps       float64
}

// A window begins and ends when these fractions of the steps have been computed. By then
// the first epoch, in which workers fetch blocks, is over.
const (
	begin = 0.5
	end   = 0.95
)

// every is the time between two readings. A reading costs a worker about a millisecond.
const every = 100 * time.Millisecond

// watch trains, and takes readings meanwhile.
func (s scenario) watch(ctx context.Context, lab *fleet.Lab) (*window, error) {
	f, err := lab.Start(ctx, fleet.Servers{}, s.workers, s.slots)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	ended := make(chan error, 1)
	go func() {
		_, err := f.Train(ctx, s.spec, "--share", "always")
		ended <- err
	}()
	var w window
	for {
		select {
		case err := <-ended:
			if err == nil && (w.first == nil || w.last == nil) {
				err = errors.New("too short to take two readings")
			}
			return &w, err
		case <-time.After(every):
		}
		r, err := f.Read(ctx)
		if err != nil {
			cancel() // without its workers the training would wait for others
			return nil, errors.Join(err, <-ended)
		}
		w.take(r, float64(s.steps), float64(s.workers))
	}
}

// take uses r as the start or the end of the window if it fits. Each worker computes one
// node of the tree in each step.
func (w *window) take(r *fleet.Reading, steps, workers float64) {
	done := r.Phases[compute.Computing].Count / workers
	switch {
	case done < begin*steps || done > end*steps:
	case w.first == nil:
		w.first = r
	default:
		w.last = r
		w.steps = done - w.first.Phases[compute.Computing].Count/workers
	}
}

// programs are the programs whose processor time is measured.
var programs = []string{"worker", "redis-server", "nats-server"}

func head() string {
	var b, rule strings.Builder
	b.WriteString("| case | step |")
	rule.WriteString("| --- | ---: |")
	for _, p := range compute.Phases {
		fmt.Fprintf(&b, " %s |", p)
		rule.WriteString(" ---: |")
	}
	for _, p := range append(append([]string(nil), programs...), "coordinator, others", "idle", "MB in", "MB out") {
		fmt.Fprintf(&b, " %s |", p)
		rule.WriteString(" ---: |")
	}
	return "Milliseconds of a step: the phases of a worker in order (append runs in parallel with the others); then\n" +
		"processor time by program; then megabytes into Redis and out of it.\n\n" + b.String() + "\n" + rule.String() + "\n"
}

// row returns the window's means per step.
func (w *window) row(s scenario) string {
	var b strings.Builder
	wall := w.last.At.Sub(w.first.At).Seconds()
	fmt.Fprintf(&b, "| %s | %s |", s.name(), digits(1e3*wall/w.steps))
	for _, p := range compute.Phases {
		seconds := w.last.Phases[p].Seconds - w.first.Phases[p].Seconds
		fmt.Fprintf(&b, " %s |", digits(1e3*seconds/w.steps/float64(s.workers)))
	}
	rest := w.last.Busy - w.first.Busy
	idle := max(0, wall*float64(runtime.NumCPU())-rest)
	for _, p := range programs {
		used := w.last.CPU[p] - w.first.CPU[p]
		rest -= used
		fmt.Fprintf(&b, " %s |", digits(1e3*used/w.steps))
	}
	fmt.Fprintf(&b, " %s | %s |", digits(1e3*max(0, rest)/w.steps), digits(1e3*idle/w.steps))
	fmt.Fprintf(&b, " %s | %s |\n", digits((w.last.In-w.first.In)/1e6/w.steps), digits((w.last.Out-w.first.Out)/1e6/w.steps))
	return b.String()
}

// digits formats a number with a sensible number of places.
func digits(x float64) string {
	switch {
	case math.Abs(x) >= 10:
		return fmt.Sprintf("%.0f", x)
	case math.Abs(x) >= 1:
		return fmt.Sprintf("%.1f", x)
	}
	return fmt.Sprintf("%.3f", x)
}
