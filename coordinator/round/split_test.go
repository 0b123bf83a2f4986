package round

import (
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"tributary/shared/tree"
)

// cost returns the time of a step on a number of teams.
type cost func(teams int, step int64) time.Duration

// simulation is the history of a job on a fleet.
type simulation struct {
	*Round
	stalls  int // steps that were inspected as stalled
	now     time.Duration
	pending []Action
	steps   map[int]int64         // by number of teams
	took    map[int]time.Duration // by number of teams
}

func newSimulation(slots, team int, steps int64) *simulation {
	r := New(Config{
		Steps: steps, Microbatches: 64, EvaluateAfter: func(int64) bool { return false }, SnapshotEvery: 1 << 40,
		BackupFactor: 3, BackupFloor: 200 * time.Millisecond, FirstFloor: 2 * time.Second,
		TaskTime: 2 * time.Second, ShortTaskTime: 100 * time.Millisecond, AnnounceTime: 500 * time.Millisecond, TrialTime: 100 * time.Millisecond,
	})
	p := &simulation{Round: r, steps: map[int]int64{}, took: map[int]time.Duration{}}
	p.Handle(0, Fleet{Slots: slots, Team: team})
	p.pending = p.Handle(0, Resumed{})
	return p
}

func isPublish(a Action) bool { _, ok := a.(Publish); return ok }

// run executes the job's step ranges until a step, or slightly further.
func (p *simulation) run(until int64, takes cost) *simulation {
	for p.Committed() < until {
		at := slices.IndexFunc(p.pending, isPublish)
		if at < 0 { // an evaluation, which takes no time
			p.pending = p.Handle(p.now, Evaluated{Steps: p.Committed()})
			continue
		}
		publish := p.pending[at].(Publish)
		p.pending = nil
		for step := publish.Step; step < publish.Step+publish.Steps && p.pending == nil; step++ {
			p.step(len(publish.Nodes), step, takes)
		}
	}
	return p
}

// step executes one step, unless it takes so long that the machine does something else.
func (p *simulation) step(teams int, step int64, takes cost) {
	const tick = 50 * time.Millisecond
	done := p.now + takes(teams, step)
	defer func(begun time.Duration) { p.took[teams] += p.now - begun }(p.now)
	for next := p.now.Truncate(tick) + tick; next < done; next += tick {
		p.now = next
		p.pending = p.Handle(p.now, Tick{})
		if slices.ContainsFunc(p.pending, func(a Action) bool { _, ok := a.(Inspect); return ok }) {
			p.stalls++
			p.Handle(p.now, Missing{Steps: p.Committed(), Nodes: []tree.Node{tree.Root}}) // the backup is no faster
		}
		if slices.ContainsFunc(p.pending, isPublish) {
			return
		}
	}
	p.now = done
	p.steps[teams]++
	p.pending = p.Handle(p.now, Committed{Steps: step + 1})
}

// splitCost returns the cost of a step that takes alone on one team. With more teams, each
// team adds exchange for the communication.
func splitCost(alone, exchange time.Duration) cost {
	return func(teams int, _ int64) time.Duration {
		if teams == 1 {
			return alone
		}
		return alone/time.Duration(teams) + exchange*time.Duration(teams)
	}
}

// A job soon finds the number of teams with which it is fastest; later trials cost
// little.
func TestFindsTheFastestNumberOfTeams(t *testing.T) {
	for _, c := range []struct {
		name        string
		slots, best int
		takes       cost
		first       int64   // maximum steps with another number of teams, of the first 1000
		later       float64 // maximum fraction of the time with another number of teams, later
	}{
		{"a tiny model on two", 2, 1, splitCost(4*time.Microsecond, 200*time.Microsecond), 300, 0.5},
		{"a small one on two", 2, 1, splitCost(3*time.Millisecond, 2*time.Millisecond), 60, 0.01},
		{"a large one on two", 2, 2, splitCost(100*time.Millisecond, time.Millisecond), 60, 0.02},
		{"a large one on 64", 64, 64, splitCost(2*time.Second, time.Microsecond), 60, 0.03},
		{"a small one on 64", 64, 1, splitCost(3*time.Millisecond, time.Millisecond), 60, 0.01},
		{"in between on 64", 64, 16, splitCost(250*time.Millisecond, time.Millisecond), 600, 0.03},
	} {
		t.Run(c.name, func(t *testing.T) {
			p := newSimulation(c.slots, 1, 1<<40).run(1000, c.takes)
			require.Equal(t, c.best, p.split.kept)
			require.Greater(t, p.steps[c.best], 1000-c.first, "%v", p.steps)
			p.run(10_000, c.takes)
			p.took, p.now = map[int]time.Duration{}, p.now-p.now%(50*time.Millisecond)
			began := p.now
			p.run(60_000, c.takes)
			require.Equal(t, c.best, p.split.kept)
			require.Less(t, 1-float64(p.took[c.best])/float64(p.now-began), c.later, "%v", p.took)
		})
	}
}

// A job corrects its choice when step times change, and starts again on another fleet.
func TestRepeatsTrialsWhenStepTimesChange(t *testing.T) {
	p := newSimulation(2, 1, 1<<40).run(60_000, func(teams int, step int64) time.Duration {
		if teams == 2 && step < 5000 {
			return 20 * time.Millisecond
		}
		return time.Duration(5*(3-teams)) * time.Millisecond
	})
	require.Equal(t, 2, p.split.kept, "sharing came to be faster")
	p = newSimulation(2, 1, 1<<40).run(5000, splitCost(10*time.Millisecond, 20*time.Millisecond))
	require.Equal(t, 1, p.split.kept)
	p.Handle(p.now, Fleet{Slots: 3, Team: 1})
	require.Equal(t, 3, p.split.kept)
}

// A job starts with short step ranges on another fleet, because it does not know the step
// time.
func TestNewFleetStartsWithShortTasks(t *testing.T) {
	takes := splitCost(100*time.Microsecond, 5*time.Millisecond)
	p := newSimulation(1, 1, 1<<40).run(100_000, takes)
	p.Handle(p.now, Fleet{Slots: 2, Team: 1})
	before := p.now
	for p.split.kept != 1 {
		p.run(p.Committed()+1, takes)
	}
	require.Less(t, p.now-before, 500*time.Millisecond)
}

// A job soon learns that a fleet has become slower and does not back it up forever.
func TestSlowerFleetIsNotStalled(t *testing.T) {
	slower := func(before, after time.Duration) cost {
		return func(_ int, step int64) time.Duration {
			if step < 20_000 {
				return before
			}
			return after
		}
	}
	for _, slots := range []int{1, 2} {
		for _, times := range [][2]time.Duration{{10, 40}, {1, 5}, {100, 450}} {
			takes := slower(times[0]*time.Millisecond, times[1]*time.Millisecond)
			p := newSimulation(slots, 1, 1<<40).run(15_000, takes)
			require.Zero(t, p.stalls)
			p.run(20_400, takes)
			stalls := p.stalls
			p.run(25_000, takes)
			require.Equal(t, stalls, p.stalls, "%d slots, %v", slots, times)
			require.NotZero(t, p.split.stepTime[p.split.kept])
		}
	}
}

// Slow first steps, which fetch data, do not shorten later step ranges.
func TestSlowFirstStepsDoNotShortenLaterTasks(t *testing.T) {
	p := newSimulation(2, 1, 1<<40)
	p.cfg.TrialTime = 0
	p.run(400, func(_ int, step int64) time.Duration {
		if step < 2 {
			return 1500 * time.Millisecond
		}
		return 10 * time.Millisecond
	})
	require.Greater(t, p.published.steps, int64(100))
}

// Trials still run if the next evaluation is near.
func TestTrialsFitBetweenEvaluations(t *testing.T) {
	p := newSimulation(2, 1, 1<<40)
	p.cfg.EvaluateAfter = func(steps int64) bool { return steps%150 == 0 }
	p.run(2000, splitCost(50*time.Microsecond, 225*time.Microsecond))
	require.Equal(t, 1, p.split.kept)
}

// An outage during a trial does not delay the next trial.
func TestOutageInATrialDoesNotDelayTheNextTrial(t *testing.T) {
	p := inTrial(t, 2)
	took := p.split.stepTime[2] * time.Duration(p.published.steps)
	p.now += time.Hour
	p.Handle(p.now, Missing{Steps: p.Committed(), Nodes: nil})
	p.Handle(p.now, Committed{Steps: p.Committed() + 1})
	require.LessOrEqual(t, p.split.nextTrial-p.now, trialMinWait*trialMaxRatio*took)
}

// The patience of one team follows its own step time, not the time of shared steps.
func TestPatienceFollowsTheCurrentNumberOfTeams(t *testing.T) {
	p := newSimulation(2, 1, 1<<40)
	for p.split.kept == 2 || p.published.announce == 1 {
		p.run(p.Committed()+1, splitCost(100*time.Microsecond, 5*time.Millisecond))
	}
	require.Less(t, p.patience(), 3*time.Second)
}

// inTrial carries a job on until the machine tries whether one team is faster.
func inTrial(t *testing.T, slots int) *simulation {
	p := newSimulation(slots, 1, 1<<40)
	for p.split.tried == 0 {
		p.run(p.Committed()+1, splitCost(0, 10*time.Millisecond))
		require.Less(t, p.Committed(), int64(1000))
	}
	require.Equal(t, 1, p.split.tried)
	return p
}

// A trial is lost when it takes as long as the steps would have taken otherwise. The
// machine then recalls its tasks. It does not wait for one team that does the work of
// eight.
func TestAbandonsATrialThatTakesTooLong(t *testing.T) {
	p := inTrial(t, 8)
	last := p.split.stepTime[8] * time.Duration(p.published.steps)
	require.Empty(t, p.Handle(p.split.began+last-1, Tick{}))
	actions := p.Handle(p.split.began+last, Tick{})
	require.Len(t, actions, 2)
	require.Equal(t, Recall{}, actions[0])
	require.Len(t, actions[1].(Publish).Nodes, 8)
	require.Equal(t, 8, p.split.kept)
	require.Zero(t, p.split.tried)
	require.EqualValues(t, 2*trialMinWait, p.split.waitFactor)
}

// The machine waits for one team of two, which may have uncommitted steps.
func TestAbandonedTrialEndsWithTheCurrentStep(t *testing.T) {
	p := inTrial(t, 2)
	last, step := p.split.began+p.split.stepTime[2]*time.Duration(p.published.steps), p.Committed()
	require.Equal(t, []Action{Recall{}}, p.Handle(last, Tick{}))
	require.Empty(t, p.Handle(last+50*time.Millisecond, Tick{}))
	actions := p.Handle(last+60*time.Millisecond, Committed{Steps: step + 3})
	publish := actions[len(actions)-1].(Publish)
	require.Len(t, publish.Nodes, 2)
	require.Equal(t, step+3, publish.Step)
	require.Equal(t, 2, p.split.kept)
	require.Zero(t, p.split.tried)
}

// A trial is lost if its step stalls.
func TestStalledTrialIsLost(t *testing.T) {
	p := inTrial(t, 8)
	p.now += 20 * time.Millisecond
	p.Handle(p.now, Missing{Steps: p.Committed(), Nodes: nil})
	p.Handle(p.now, Committed{Steps: p.Committed() + 1})
	require.Zero(t, p.split.tried)
	require.Equal(t, 8, p.split.kept)
	require.Greater(t, p.split.nextTrial, p.now)
}

// There are no trials if there is no choice or if trials are off.
func TestNoTrials(t *testing.T) {
	one := newSimulation(4, 4, 1<<40).run(5000, splitCost(time.Millisecond, 0))
	require.Len(t, one.steps, 1)
	never := newSimulation(2, 1, 1<<40)
	never.cfg.TrialTime = 0
	never.run(5000, splitCost(time.Microsecond, time.Millisecond))
	require.Zero(t, never.steps[1])
}
