package round

import (
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// turn executes the next span on a fleet that other jobs use too. It waits for its turn
// and then commits as often as the task asks. It returns the compute time of the span.
func (p *played) turn(t *testing.T, waits, step time.Duration) time.Duration {
	at := slices.IndexFunc(p.todo, published)
	require.GreaterOrEqual(t, at, 0)
	publish := p.todo[at].(Publish)
	p.now += waits
	end, tell := publish.Step+publish.Steps, max(1, publish.Tell)
	for done := publish.Step; done < end; {
		n := min(tell, end-done)
		done += n
		p.now += time.Duration(n) * step
		p.todo = p.Handle(p.now, Committed{Steps: done})
	}
	return time.Duration(publish.Steps) * step
}

// While other jobs wait for slots, a turn has about ShortSpan of steps. The length of the
// wait for the turn does not matter: time that a neighbour uses must not make the job's
// own turns shorter.
func TestTurnsAreAsLongHoweverLongTheWait(t *testing.T) {
	const short = 100 * time.Millisecond
	for _, crowdedFromStart := range []bool{true, false} {
		for _, step := range []time.Duration{50 * time.Microsecond, 2 * time.Millisecond, 30 * time.Millisecond} {
			p := newPlayed(1, 1, 1<<40)
			if !crowdedFromStart {
				p.carry(2000, func(int, int64) time.Duration { return step })
			}
			p.Handle(p.now, Fleet{Slots: 1, Team: 1, Crowded: true})
			for range 60 {
				p.turn(t, 200*time.Millisecond, step)
			}
			for range 100 {
				took := p.turn(t, 200*time.Millisecond, step)
				require.Greater(t, took, short/2, "crowded from the start: %v, a step takes %s", crowdedFromStart, step)
				require.Less(t, took, 2*short, "crowded from the start: %v, a step takes %s", crowdedFromStart, step)
			}
		}
	}
}
