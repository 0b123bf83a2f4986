package main

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/nats-io/nats.go/jetstream"
)

// fault is one thing that can go wrong. inject causes it, waits while it lasts, and
// repairs it. It returns in words what it did, or "" if it found nothing to act on.
type fault struct {
	name, what string
	weight     int // how often it is chosen, relative to the others
	inject     func(ctx context.Context, f *fleet, r *rand.Rand) (string, error)
}

// randomTime returns a random time between from and to.
func randomTime(r *rand.Rand, from, to time.Duration) time.Duration {
	return from + time.Duration(r.Int64N(int64(to-from)))
}

// The lease times. Some pauses must last longer than these.
const (
	leaseTTL  = 5 * time.Second  // of a coordinator's ownership
	taskLease = 15 * time.Second // of a task's delivery
)

var faults = []fault{
	{"worker-kill", "kill -9 of a worker; another one starts", 6, func(ctx context.Context, f *fleet, r *rand.Rand) (string, error) {
		return f.replace(ctx, r, &f.workers, syscall.SIGKILL)
	}},
	{"worker-stop", "SIGTERM to a worker; another one starts", 2, func(ctx context.Context, f *fleet, r *rand.Rand) (string, error) {
		return f.replace(ctx, r, &f.workers, syscall.SIGTERM)
	}},
	{"worker-churn", "workers are killed one after the other", 2, func(ctx context.Context, f *fleet, r *rand.Rand) (string, error) {
		n := 3 + r.IntN(4)
		for range n {
			if _, err := f.replace(ctx, r, &f.workers, syscall.SIGKILL); err != nil {
				return "", err
			}
		}
		return fmt.Sprintf("%d workers killed in a row", n), nil
	}},
	{"workers-gone", "all workers die, and others come after a while", 1, allGone},
	{"worker-joins", "one more worker", 1, func(ctx context.Context, f *fleet, _ *rand.Rand) (string, error) {
		m, err := f.add(ctx, "worker", "--slots", "1")
		if err != nil {
			return "", err
		}
		return m.name + " joins", nil
	}},
	{"worker-pause", "a worker is paused for some seconds", 3, func(ctx context.Context, f *fleet, r *rand.Rand) (string, error) {
		return f.pause(ctx, r, f.workers, randomTime(r, 500*time.Millisecond, 4*time.Second))
	}},
	{"worker-freeze", "a worker is paused for longer than every lease", 1, func(ctx context.Context, f *fleet, r *rand.Rand) (string, error) {
		return f.pause(ctx, r, f.workers, taskLease+randomTime(r, time.Second, 3*time.Second))
	}},
	{"worker-slow", "a worker runs at a tenth of its speed for some seconds", 2, slow},
	{"coordinator-kill", "kill -9 of a coordinator; another one starts", 4, func(ctx context.Context, f *fleet, r *rand.Rand) (string, error) {
		return f.replace(ctx, r, &f.coordinators, syscall.SIGKILL)
	}},
	{"coordinator-stop", "SIGTERM to a coordinator; another one starts", 2, func(ctx context.Context, f *fleet, r *rand.Rand) (string, error) {
		return f.replace(ctx, r, &f.coordinators, syscall.SIGTERM)
	}},
	{"coordinator-pause", "a coordinator is paused for longer than its lease, then continues", 2, func(ctx context.Context, f *fleet, r *rand.Rand) (string, error) {
		return f.pause(ctx, r, f.coordinators, leaseTTL+randomTime(r, time.Second, 3*time.Second))
	}},
	{"nats-restart", "kill -9 of nats-server, with the task stream in its memory", 3, restartNATS},
	{"nats-purge", "the task stream is emptied", 2, func(ctx context.Context, f *fleet, _ *rand.Rand) (string, error) {
		return "task stream emptied", f.stream(ctx, func(js jetstream.JetStream) error {
			s, err := js.Stream(ctx, "TRIBUTARY_TASKS")
			if err != nil {
				return err
			}
			return s.Purge(ctx)
		})
	}},
	{"nats-stream", "the task stream is deleted, with its consumers", 2, func(ctx context.Context, f *fleet, _ *rand.Rand) (string, error) {
		return "task stream deleted", f.stream(ctx, func(js jetstream.JetStream) error { return js.DeleteStream(ctx, "TRIBUTARY_TASKS") })
	}},
	{"redis-restart", "kill -9 of redis-server, which starts from its log", 3, restartRedis},
	{"redis-wipe", "Redis loses everything", 2, func(ctx context.Context, f *fleet, _ *rand.Rand) (string, error) {
		return "redis wiped", f.redis.client.FlushAll(ctx).Err()
	}},
	{"redis-old", "Redis goes back to an older copy of itself", 2, oldRedis},
	{"redis-full", "Redis is at its memory limit for a while", 2, fullRedis},
	{"net-slow", "one process's connections have a delay of 20 to 200 ms", 3, func(ctx context.Context, f *fleet, r *rand.Rand) (string, error) {
		d := randomTime(r, 20*time.Millisecond, 200*time.Millisecond)
		return f.toxic(ctx, r, "latency", fmt.Sprintf(`"latency":%d,"jitter":%d`, d.Milliseconds(), d.Milliseconds()/2), randomTime(r, time.Second, 4*time.Second))
	}},
	{"net-cut", "one process's connections are cut, and again when it comes back", 3, cut},
	{"net-one-way", "one process sends, but receives nothing", 2, func(ctx context.Context, f *fleet, r *rand.Rand) (string, error) {
		return f.toxic(ctx, r, "timeout", `"timeout":0`, randomTime(r, time.Second, 6*time.Second))
	}},
	{"net-truncate", "one process's connections break in the middle of what is sent", 3, func(ctx context.Context, f *fleet, r *rand.Rand) (string, error) {
		return f.toxic(ctx, r, "limit_data", fmt.Sprintf(`"bytes":%d`, 1000+r.IntN(200_000)), randomTime(r, time.Second, 3*time.Second))
	}},
}

// chosen returns the faults with these names; if there are no names, it returns all.
func chosen(names []string) ([]fault, error) {
	if len(names) == 0 {
		return faults, nil
	}
	var some []fault
	for _, name := range names {
		i := slices.IndexFunc(faults, func(f fault) bool { return f.name == name })
		if i < 0 {
			var known []string
			for _, f := range faults {
				known = append(known, f.name)
			}
			return nil, fmt.Errorf("--faults: %q: want some of %s", name, strings.Join(known, ", "))
		}
		some = append(some, faults[i])
	}
	return some, nil
}

// pick chooses a fault by weight.
func pick(r *rand.Rand, from []fault) *fault {
	total := 0
	for _, f := range from {
		total += f.weight
	}
	n := r.IntN(total)
	for i := range from {
		if n -= from[i].weight; n < 0 {
			return &from[i]
		}
	}
	return nil
}
