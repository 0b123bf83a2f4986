package main

import (
	"context"
	"strconv"

	"tributary/deployments/bench/chart"
	"tributary/deployments/bench/fleet"
)

// leaves is the number of micro-batches for the curve of workers. It equals the largest
// number of workers, so that each worker has a task in every step.
const leaves = 64

// workers measures a step that is nearly all overhead, for a growing number of workers:
// in one process with embedded servers, and as processes on real servers. Every worker
// has one slot, so a step has as many tasks as there are workers.
func (c *curves) workers(ctx context.Context, lab *fleet.Lab) ([]chart.Panel, error) {
	spec := fleet.Tiny(c.steps(400), leaves)
	embedded, err := c.points(ctx, "embedded workers", c.choose([]int{1, 4}, []int{1, 2, 4, 8, 16, 32, 64}), func(x int) ([]float64, error) {
		o, err := lab.Train(ctx, spec, "--workers", strconv.Itoa(x), "--slots", "1", "--share", "always")
		if err != nil {
			return nil, err
		}
		return []float64{o.MS()}, nil
	})
	if err != nil {
		return nil, err
	}
	processes, err := c.points(ctx, "worker processes", c.choose([]int{1, 2}, []int{1, 2, 4, 8}), func(x int) ([]float64, error) {
		ms, _, err := c.fleetStep(ctx, lab, fleet.Servers{}, x, spec)
		return []float64{ms}, err
	})
	if err != nil {
		return nil, err
	}
	return []chart.Panel{chart.Lines{
		Title: "A step of 10 parameters in 64 micro-batches: overhead", X: "workers of one slot", Y: "ms per step", LogX: true, LogY: true,
		Lines: []chart.Line{{Name: "in one process, embedded servers", Points: embedded[0]}, {Name: "processes, real servers", Points: processes[0]}},
	}}, nil
}

// fleetStep trains a spec on a fleet of its own. It returns the time of a step in
// milliseconds and the largest resident memory of a worker in MiB.
func (c *curves) fleetStep(ctx context.Context, lab *fleet.Lab, s fleet.Servers, workers int, spec any) (ms, mib float64, err error) {
	f, err := lab.Start(ctx, s, workers, 1)
	if err != nil {
		return 0, 0, err
	}
	defer f.Close()
	o, err := f.Train(ctx, spec, "--share", "always")
	if err != nil {
		return 0, 0, err
	}
	for _, w := range f.Workers {
		mib = max(mib, float64(w.PeakRSS())/(1<<20))
	}
	return o.MS(), mib, nil
}

// parameters measures a step of four rows while the model grows: the cost of a gradient's
// way through Redis. One worker only appends the root; two workers exchange partials.
func (c *curves) parameters(ctx context.Context, lab *fleet.Lab) ([]chart.Panel, error) {
	// The hidden widths h of 9-h-h-1, which has about h² parameters.
	widths := c.choose([]int{1, 300}, []int{1, 30, 100, 300, 1000, 3000, 7000})
	var lines, memory []chart.Line
	for workers, name := range []string{1: "1 worker", 2: "2 workers"} {
		if workers == 0 {
			continue
		}
		measured, err := c.points(ctx, name+", hidden width", widths, func(h int) ([]float64, error) {
			spec := fleet.Tiny(min(c.steps(300), max(8, 60_000_000/weights(h))), 2)
			spec["model"] = fleet.Dense("relu", h, h, 1)
			ms, mib, err := c.fleetStep(ctx, lab, fleet.Servers{}, workers, spec)
			return []float64{ms, mib}, err
		})
		if err != nil {
			return nil, err
		}
		for _, line := range measured {
			for i := range line {
				line[i].X = float64(weights(int(line[i].X)))
			}
		}
		lines = append(lines, chart.Line{Name: name, Points: measured[0]})
		memory = append(memory, chart.Line{Name: name, Points: measured[1]})
	}
	return []chart.Panel{
		chart.Lines{Title: "A step of 4 rows as the model grows", X: "parameters", Y: "ms per step", LogX: true, LogY: true, Lines: lines},
		chart.Lines{Title: "The most memory a worker holds", X: "parameters", Y: "MiB resident", LogX: true, LogY: true, Lines: memory},
	}, nil
}

// weights returns the number of parameters of 9-h-h-1.
func weights(h int) int { return 9*h + h + h*h + h + h + 1 }

// cluster measures case b (235,146 parameters, MNIST) on two workers, with one
// server of each kind, and with three.
func (c *curves) cluster(ctx context.Context, lab *fleet.Lab) ([]chart.Panel, error) {
	servers := []fleet.Servers{{NATS: 1, Redis: 1}, {NATS: 3, Redis: 1}, {NATS: 1, Redis: 3}, {NATS: 3, Redis: 3}}
	spec := fleet.MNIST("b", fleet.Adam(1e-3), 2, 2, 256, 128)
	if c.Short {
		delete(spec, "epochs")
		spec["steps"] = 20
		servers = []fleet.Servers{servers[0], servers[3]}
	}
	xs := make([]int, len(servers))
	for i := range xs {
		xs[i] = i
	}
	measured, err := c.points(ctx, "servers", xs, func(x int) ([]float64, error) {
		ms, _, err := c.fleetStep(ctx, lab, servers[x], 2, spec)
		return []float64{ms}, err
	})
	if err != nil {
		return nil, err
	}
	panel := chart.Bars{Title: "Case b on two workers, all servers on this machine", Unit: "milliseconds per step (less is better)"}
	for i, s := range servers {
		ms := measured[0][i].Y
		panel.Bars = append(panel.Bars, chart.Bar{Name: strconv.Itoa(s.NATS) + " NATS, " + strconv.Itoa(s.Redis) + " Redis", Low: ms, Middle: ms, High: ms})
	}
	return []chart.Panel{panel}, nil
}
