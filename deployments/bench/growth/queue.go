package main

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/rs/zerolog"

	"tributary/deployments/bench/chart"
	"tributary/deployments/bench/fleet"
	"tributary/shared/access"
	"tributary/shared/broker"
	"tributary/shared/job"
	"tributary/shared/queue"
	"tributary/shared/tree"
)

// queue measures tasks per second through the task queue, for a growing number of slots.
// A task's time is from its publication to the server's confirmation of the
// acknowledgement.
func (c *curves) queue(ctx context.Context, lab *fleet.Lab) ([]chart.Panel, error) {
	tasks := 20_000
	if c.Short {
		tasks = 1000
	}
	var lines []chart.Line
	for _, servers := range []int{1, 3} {
		measured, err := c.points(ctx, fmt.Sprintf("queue on %d servers, slots", servers), c.choose([]int{1, 8}, []int{1, 2, 4, 8, 16, 32, 64}), func(x int) ([]float64, error) {
			f, err := lab.Start(ctx, fleet.Servers{NATS: servers}, 0, 0)
			if err != nil {
				return nil, err
			}
			defer f.Close()
			took, err := flow(ctx, f.NATS, x, tasks)
			return []float64{float64(tasks) / took.Seconds()}, err
		})
		if err != nil {
			return nil, err
		}
		lines = append(lines, chart.Line{Name: fmt.Sprintf("%d NATS", servers), Points: measured[0]})
	}
	return []chart.Panel{chart.Lines{Title: "The task queue: publish, deliver, acknowledge", X: "slots that pull", Y: "tasks per second", LogX: true, Lines: lines}}, nil
}

// batch is how many tasks are published at a time.
const batch = 256

// flow publishes tasks while slots take and acknowledge them.
func flow(ctx context.Context, url string, slots, tasks int) (time.Duration, error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	conn, err := broker.Connect(ctx, broker.Config{URL: access.URL(url), Name: "tributary growth"}, zerolog.Nop())
	if err != nil {
		return 0, err
	}
	defer conn.Close()
	if err := conn.Setup(ctx, broker.SetupConfig{}); err != nil {
		return 0, err
	}
	q := conn.Queue(broker.QueueConfig{})
	const numerics = job.Numerics("growth")
	ref := job.Ref{Job: "growth", Run: "1"}
	errs := make(chan error, slots+1)
	acked := make(chan struct{}, batch)
	var busy sync.WaitGroup
	defer busy.Wait()
	defer cancel()
	for range slots {
		s, err := q.Subscribe(ctx, queue.Class{Lane: queue.GradientLane, Numerics: numerics})
		if err != nil {
			return 0, err
		}
		busy.Go(func() {
			defer s.Close()
			for {
				d, err := s.Next(ctx)
				if err == nil {
					err = d.Ack(ctx)
				}
				if err != nil {
					errs <- err
					return
				}
				select {
				case acked <- struct{}{}:
				case <-ctx.Done():
				}
			}
		})
	}
	began := time.Now()
	busy.Go(func() {
		for from := 0; from < tasks; from += batch {
			some := make([]job.Task, min(batch, tasks-from))
			for i := range some {
				some[i] = job.Task{Ref: ref, Numerics: numerics, Kind: job.Gradient, Step: int64(from + i), Node: tree.Root}
			}
			if err := q.Publish(ctx, some...); err != nil {
				errs <- err
				return
			}
		}
	})
	for range tasks {
		select {
		case <-acked:
		case err := <-errs:
			return 0, err
		}
	}
	return time.Since(began), nil
}
