package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/rs/zerolog"

	"tributary/deployments/bench/fleet"
	"tributary/shared/access"
	"tributary/shared/broker"
	"tributary/shared/notice"
)

// measured is the result of one training.
type measured struct {
	after      time.Duration // from the kill to the next commit
	gap        time.Duration // the longest time between two commits after the first steps
	parameters string
}

// commits records the times at which the commits of a job's steps were announced.
type commits struct {
	first chan struct{} // closed by the first commit

	mu   sync.Mutex
	last int64 // steps
	at   []time.Time
}

func (c *commits) record(n notice.Commit) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if n.Committed > c.last {
		if c.last == 0 {
			close(c.first)
		}
		c.last, c.at = n.Committed, append(c.at, time.Now())
	}
}

// trialTime is how long a training runs before its busy worker is killed. By then the job
// has found the best way to split its steps.
const trialTime = 3 * time.Second

// try trains the scenario's job on two workers. If kill is set, it kills the busier one.
func (c *command) try(ctx context.Context, lab *fleet.Lab, s scenario, kill bool) (*measured, error) {
	f, err := lab.Start(ctx, fleet.Servers{}, 2, 1)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	conn, err := broker.Connect(ctx, broker.Config{Name: "recovery", URL: access.URL(f.NATS)}, zerolog.Nop())
	if err != nil {
		return nil, err
	}
	defer conn.Close()
	committed := commits{first: make(chan struct{})}
	stop, err := conn.Notices().SubscribeCommits("", committed.record)
	if err != nil {
		return nil, err
	}
	defer stop()
	type end struct {
		o   *fleet.Outcome
		err error
	}
	done := make(chan end, 1)
	go func() {
		o, err := f.Train(ctx, s.spec, "--share", s.share)
		done <- end{o, err}
	}()
	select {
	case <-committed.first:
	case e := <-done:
		return nil, fmt.Errorf("no step was committed: %w", cmp.Or(e.err, errors.New("the job is too short")))
	}
	from := time.Now().Add(trialTime)
	if err := fleet.Wait(ctx, trialTime); err != nil {
		return nil, err
	}
	var killed time.Time
	if kill {
		before := [2]float64{f.Workers[0].CPU(), f.Workers[1].CPU()}
		if err := fleet.Wait(ctx, 300*time.Millisecond); err != nil {
			return nil, err
		}
		busy := 0
		if f.Workers[1].CPU()-before[1] > f.Workers[0].CPU()-before[0] {
			busy = 1
		}
		if len(done) > 0 {
			return nil, fmt.Errorf("the job ended before the kill: %w", cmp.Or((<-done).err, errors.New("it is too short")))
		}
		killed = time.Now()
		f.Workers[busy].Kill()
	}
	e := <-done
	if e.err != nil {
		return nil, e.err
	}
	m := &measured{parameters: e.o.Parameters}
	committed.mu.Lock()
	defer committed.mu.Unlock()
	for i := 1; i < len(committed.at); i++ {
		if committed.at[i].After(from) {
			m.gap = max(m.gap, committed.at[i].Sub(committed.at[i-1]))
		}
		if kill && m.after == 0 && committed.at[i].After(killed) {
			m.after = committed.at[i].Sub(killed)
		}
	}
	return m, nil
}
