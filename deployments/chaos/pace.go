package main

import (
	"context"
	"fmt"
	"math"
	"sync"
	"time"
)

// leastPace is the part of its pace without neighbours that a job must keep. A neighbour
// that trains may take half of it, a flood half of the processors from what is left; the
// rest is for the load of the machine, which may have been less when the pace was measured.
const leastPace = 0.1

// The least that a pace can be told from.
const (
	pacedTime  = 300 * time.Millisecond
	pacedSteps = 20
)

// interval is a time in which faults were at work.
type interval struct{ from, to time.Time }

// pace is the committed steps a second, without the times from the beginning of a fault
// to the first commit after its end. NaN: too little is left to tell.
func (c *client) pace(excused []interval) float64 {
	c.mu.Lock()
	defer c.mu.Unlock()
	var (
		steps int64
		taken time.Duration
	)
	all := inOrder(c.commits)
	for i := 1; i < len(all); i++ {
		before, now := all[i-1], all[i]
		struck := false
		for _, e := range excused {
			struck = struck || before.at.Before(e.to) && now.at.After(e.from)
		}
		if !struck {
			steps += max(0, now.steps-before.steps)
			taken += now.at.Sub(before.at)
		}
	}
	if taken < pacedTime || steps < pacedSteps {
		return math.NaN()
	}
	return float64(steps) / taken.Seconds()
}

// lateNotices is how many notices may overtake another one.
const lateNotices = 3

// inOrder leaves out notices that came late: those of fewer steps than the one before, when
// one of the next has more again. After a loss of steps the next ones have fewer too.
func inOrder(all []commit) []commit {
	var kept []commit
	for i, now := range all {
		late := false
		if n := len(kept); n > 0 && now.steps < kept[n-1].steps {
			for _, next := range all[i+1 : min(len(all), i+1+lateNotices)] {
				late = late || next.steps >= kept[n-1].steps
			}
		}
		if !late {
			kept = append(kept, now)
		}
	}
	return kept
}

// paces is how fast jobs are without neighbours and faults, measured once for each kind.
type paces struct {
	mu   sync.Mutex
	kind map[string]float64
}

// paceAlone is the steps a second of a script's job when nothing disturbs it. Fleets with
// an even number of workers divide each step, see newFleet: they are of another kind.
func (l *lab) paceAlone(ctx context.Context, p script) (float64, error) {
	l.paces.mu.Lock()
	defer l.paces.mu.Unlock()
	kind := fmt.Sprint(p.work.name, " ", p.workers == 1, p.workers%2)
	if v, ok := l.paces.kind[kind]; ok {
		return v, nil
	}
	calm := script{work: p.work, coordinators: 1, workers: p.workers, scarce: plenty}
	want, err := p.work.reference(ctx)
	if err != nil {
		return 0, err
	}
	var res result
	if err := l.run(ctx, 0, calm, want, 1, &res); err != nil {
		return 0, err
	}
	if l.paces.kind == nil {
		l.paces.kind = map[string]float64{}
	}
	l.paces.kind[kind] = res.pace
	return res.pace, nil
}
