package main

import (
	"context"
	"fmt"
	"math"
	"sync"
	"time"
)

// leastPace is the fraction of its pace without neighbours that a job must keep. A
// neighbour that trains may take half of the pace, and a flood half of the processors
// from the rest. The remainder allows for the load of the machine, which may have been
// lower when the pace was measured.
const leastPace = 0.1

// The least time and the fewest steps that a pace is computed from.
const (
	pacedTime  = 300 * time.Millisecond
	pacedSteps = 20
)

// interval is a time in which faults were active.
type interval struct{ from, to time.Time }

// pace returns the committed steps per second, without the times from the beginning of a
// fault to the first commit after its end. It returns NaN if too little time is left.
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

// inOrder drops late notices. A notice is late if it has fewer steps than the one before,
// and one of the next notices has more again. After a loss of steps the next notices have
// fewer steps too, so these are kept.
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

// paces caches how fast jobs are without neighbours and faults, measured once for each
// kind.
type paces struct {
	mu   sync.Mutex
	kind map[string]float64
}

// paceAlone returns the steps per second of a script's job when nothing disturbs it.
// Fleets with an even number of workers split each step, see newFleet, so they are
// another kind.
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
