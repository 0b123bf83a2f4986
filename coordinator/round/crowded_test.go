package round

import (
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// runTurn executes the next step range on a fleet that other jobs use too. It waits for
// its turn and then commits as often as the task asks. It returns the compute time of the
// step range.
func (p *simulation) runTurn(t *testing.T, waits, step time.Duration) time.Duration {
	at := slices.IndexFunc(p.pending, isPublish)
	require.GreaterOrEqual(t, at, 0)
	publish := p.pending[at].(Publish)
	p.now += waits
	end, announce := publish.Step+publish.Steps, max(1, publish.Announce)
	for done := publish.Step; done < end; {
		n := min(announce, end-done)
		done += n
		p.now += time.Duration(n) * step
		p.pending = p.Handle(p.now, Committed{Steps: done})
	}
	return time.Duration(publish.Steps) * step
}

// While other jobs wait for slots, a turn has about ShortTaskTime of steps. The length of
// the wait for the turn does not matter: time that a neighbour uses must not make the
// job's own turns shorter.
func TestLongWaitsDoNotShortenTurns(t *testing.T) {
	const short = 100 * time.Millisecond
	for _, crowdedFromStart := range []bool{true, false} {
		for _, step := range []time.Duration{50 * time.Microsecond, 2 * time.Millisecond, 30 * time.Millisecond} {
			p := newSimulation(1, 1, 1<<40)
			if !crowdedFromStart {
				p.run(2000, func(int, int64) time.Duration { return step })
			}
			p.Handle(p.now, Fleet{Slots: 1, Team: 1, Crowded: true})
			for range 60 {
				p.runTurn(t, 200*time.Millisecond, step)
			}
			for range 100 {
				took := p.runTurn(t, 200*time.Millisecond, step)
				require.Greater(t, took, short/2, "crowded from the start: %v, a step takes %s", crowdedFromStart, step)
				require.Less(t, took, 2*short, "crowded from the start: %v, a step takes %s", crowdedFromStart, step)
			}
		}
	}
}
