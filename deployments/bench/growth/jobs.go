package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/nats-io/nats.go"

	"tributary/deployments/bench/chart"
	"tributary/deployments/bench/fleet"
	"tributary/shared/job"
)

// programs are the programs that do the work of a step.
var programs = []string{"worker", "coordinator", "nats-server", "redis-server"}

// jobs measures how many steps per second a fleet does for all its jobs together, while
// more jobs run at once. The fleet has two workers of four slots and one coordinator; the
// jobs have ten parameters and two micro-batches.
func (c *curves) jobs(ctx context.Context, lab *fleet.Lab) ([]chart.Panel, error) {
	steps := c.steps(4000)
	measured, err := c.points(ctx, "jobs at once", c.choose([]int{1, 5}, []int{1, 2, 5, 10, 20, 50, 100}), func(x int) ([]float64, error) {
		f, err := lab.Start(ctx, fleet.Servers{}, 2, 4)
		if err != nil {
			return nil, err
		}
		defer f.Close()
		if err := f.Serve(ctx); err != nil {
			return nil, err
		}
		took, mean, err := together(ctx, f.NATS, x, steps)
		if err != nil {
			return nil, err
		}
		values := []float64{float64(x*steps) / took.Seconds(), mean}
		for _, name := range programs {
			spent := 0.0
			for _, p := range append(f.Workers, f.Servers...) {
				if p.Name == name {
					spent += p.CPU()
				}
			}
			values = append(values, spent*1e3/float64(x*steps))
		}
		return values, nil
	})
	if err != nil {
		return nil, err
	}
	var spent []chart.Line
	for i, name := range programs {
		spent = append(spent, chart.Line{Name: name, Points: measured[2+i]})
	}
	return []chart.Panel{
		chart.Lines{Title: "Jobs of 10 parameters: steps of all, from submission to end", X: "jobs at once", Y: "steps per second", LogX: true, LogY: true, Lines: []chart.Line{{Points: measured[0]}}},
		chart.Lines{Title: "A step of one of them, mean", X: "jobs at once", Y: "ms per step", LogX: true, LogY: true, Lines: []chart.Line{{Points: measured[1]}}},
		chart.Lines{Title: "Where the time goes: processor time per step, starts included", X: "jobs at once", Y: "CPU ms per step", LogX: true, LogY: true, Lines: spent},
	}, nil
}

// together submits n jobs, as the nats CLI would. It returns the time until the last one
// ends and the mean time of a step in milliseconds.
func together(ctx context.Context, url string, n, steps int) (time.Duration, float64, error) {
	nc, err := nats.Connect(url)
	if err != nil {
		return 0, 0, err
	}
	defer nc.Close()
	began := time.Now()
	ids := make([]job.ID, n)
	for i := range ids {
		spec := fleet.Tiny(steps, 2)
		spec["seed"] = i
		data, err := json.Marshal(spec)
		if err != nil {
			return 0, 0, err
		}
		var r job.Record
		if err := ask(ctx, nc, "tributary.jobs.submit", data, &r); err != nil {
			return 0, 0, err
		}
		ids[i] = r.ID
	}
	sum := 0.0
	for _, id := range ids {
		for {
			var r job.Record
			if err := ask(ctx, nc, "tributary.jobs.get", []byte(id), &r); err != nil {
				return 0, 0, err
			}
			if r.State == job.Succeeded && r.Outcome != nil {
				sum += r.Outcome.Seconds * 1e3 / float64(r.Outcome.Steps)
				break
			}
			if r.State.Final() {
				return 0, 0, fmt.Errorf("job %s is %s: %s", id, r.State, r.Error)
			}
			if err := fleet.Wait(ctx, 20*time.Millisecond); err != nil {
				return 0, 0, err
			}
		}
	}
	return time.Since(began), sum / float64(n), nil
}

// askPatience is the timeout for the answer to one request.
const askPatience = 30 * time.Second

func ask(ctx context.Context, nc *nats.Conn, subject string, data []byte, answer any) error {
	ctx, cancel := context.WithTimeout(ctx, askPatience)
	defer cancel()
	m, err := nc.RequestWithContext(ctx, subject, data)
	if err != nil {
		return fmt.Errorf("%s: %w", subject, err)
	}
	if m.Header.Get("Nats-Service-Error-Code") != "" {
		return errors.New(subject + ": " + m.Header.Get("Nats-Service-Error"))
	}
	return json.Unmarshal(m.Data, answer)
}
