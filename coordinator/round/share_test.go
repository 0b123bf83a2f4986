package round

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// played is what became of a job on a fleet that takes so long for a step, shared or
// by one team alone.
type played struct {
	*Round
	now   time.Duration
	todo  []Action
	steps [2]int64         // shared, alone
	took  [2]time.Duration // likewise
}

// carry carries the job's spans out, up to a step or beyond.
func (p *played) carry(until int64, shared, alone func(step int64) time.Duration) *played {
	for p.Committed() < until {
		todo := p.todo
		p.todo = nil
		for _, a := range todo {
			publish, ok := a.(Publish)
			if !ok {
				continue
			}
			way, per := 0, shared
			if len(publish.Nodes) == 1 {
				way, per = 1, alone
			}
			for step := publish.Step; step < publish.Step+publish.Steps; step++ {
				took := per(step)
				p.now += took
				p.steps[way]++
				p.took[way] += took
				p.todo = append(p.todo, p.Handle(p.now, Committed{Steps: step + 1})...)
			}
		}
	}
	return p
}

func newPlayed(slots, team int, steps int64) *played {
	r := New(Config{
		Steps: steps, Microbatches: 8, EvaluateAfter: func(int64) bool { return false }, SnapshotEvery: 1 << 40,
		BackupFactor: 3, BackupFloor: 200 * time.Millisecond, FirstFloor: 2 * time.Second,
		SpanTime: 2 * time.Second, ShortSpan: 100 * time.Millisecond, TellTime: 500 * time.Millisecond, TrialTime: 100 * time.Millisecond,
	})
	p := &played{Round: r}
	p.Handle(0, Fleet{Slots: slots, Team: team})
	p.todo = p.Handle(0, Resumed{})
	return p
}

func takes(d time.Duration) func(int64) time.Duration {
	return func(int64) time.Duration { return d }
}

// A small model is left to one worker, before long, and is tried shared seldom.
func TestWhatIsFasterAloneIsNotShared(t *testing.T) {
	p := newPlayed(2, 1, 1<<40).carry(100_000, takes(400*time.Microsecond), takes(4*time.Microsecond))
	require.True(t, p.share.alone)
	require.Less(t, p.steps[0], int64(2000))
	require.Less(t, p.took[0], time.Second)
}

// A large one is shared; trials cost little of the time.
func TestWhatIsFasterSharedStaysShared(t *testing.T) {
	for _, workers := range []int{2, 8} {
		p := newPlayed(workers, 1, 1<<40).carry(20_000, takes(50*time.Millisecond), takes(time.Duration(workers)*45*time.Millisecond))
		require.False(t, p.share.alone)
		require.Positive(t, p.steps[1], "it was tried")
		require.Less(t, float64(p.took[1]), 0.06*float64(p.now), "%d workers", workers)
	}
}

// What was right may be wrong later, and another fleet is another matter.
func TestSharingIsTriedAgain(t *testing.T) {
	turned := int64(5000)
	at := func(before, after time.Duration) func(int64) time.Duration {
		return func(step int64) time.Duration {
			if step < turned {
				return before
			}
			return after
		}
	}
	p := newPlayed(2, 1, 1<<40).carry(60_000, at(20*time.Millisecond, 5*time.Millisecond), at(10*time.Millisecond, 10*time.Millisecond))
	require.False(t, p.share.alone, "sharing came to be faster")
	p = newPlayed(2, 1, 1<<40).carry(5000, takes(20*time.Millisecond), takes(10*time.Millisecond))
	require.True(t, p.share.alone)
	p.Handle(p.now, Fleet{Slots: 3, Team: 1})
	require.False(t, p.share.alone)
}

// A trial that is broken off, because one worker takes too long, is lost.
func TestATrialThatIsBrokenOff(t *testing.T) {
	p := newPlayed(8, 1, 1<<40)
	for p.share.next = trialEvery; !p.share.trial; {
		p.carry(p.Committed()+1, takes(20*time.Millisecond), takes(20*time.Millisecond))
		require.Less(t, p.Committed(), int64(1000))
	}
	next, every := p.share.next, p.share.every
	p.Handle(p.now+time.Minute, Tick{})
	p.Handle(p.now+time.Minute, Missing{Steps: p.Committed(), Nodes: nil})
	p.Handle(p.now+time.Minute, Committed{Steps: p.Committed() + 1})
	require.False(t, p.share.trial)
	require.False(t, p.share.alone)
	require.Greater(t, p.share.next, next)
	require.Equal(t, 2*every, p.share.every)
}

// Nothing is tried where there is no choice, or none is wanted.
func TestNoTrials(t *testing.T) {
	one := newPlayed(4, 4, 1<<40).carry(5000, takes(time.Millisecond), takes(time.Millisecond))
	require.Zero(t, one.steps[0])
	require.False(t, one.share.alone)
	never := newPlayed(2, 1, 1<<40)
	never.cfg.TrialTime = 0
	never.carry(5000, takes(time.Millisecond), takes(time.Microsecond))
	require.Zero(t, never.steps[1])
}
