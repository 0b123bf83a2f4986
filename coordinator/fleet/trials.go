package fleet

import (
	"maps"
	"slices"
	"time"

	"tributary/shared/job"
)

// The limits at which a task is poison, although each of its failures could be temporary.
// An attempt that was lost with its worker is not a failure.
const (
	poisonWorkers  = 3 // the task failed on this many workers, over at least poisonTime
	poisonTime     = 10 * time.Second
	poisonFailures = 8 // or this many failures on any workers, over at least poisonLongTime
	poisonLongTime = time.Minute
	poisonDeaths   = 8 // or this many workers took the task and were lost
	// recently is how long a failure counts as a sign of a common fault.
	recently = 10 * time.Second
)

// The limits at which a worker is set aside, and the cooldown times.
const (
	setAsideFailures = 2 // recent failures of a worker at tasks that others then did
	firstCooldown    = time.Second
	lastCooldown     = time.Minute
	// cooldownReset is the time after a cooldown after which the next one is firstCooldown
	// again.
	cooldownReset = time.Minute
)

// Verdict is the decision about a task after a failed or lost attempt.
type Verdict string

// The verdicts.
const (
	Again  Verdict = "again"  // try the task again
	Poison Verdict = "poison" // the task will never succeed, so its job fails
)

// Trial is the record of a task that did not succeed at once.
type Trial struct {
	Task   job.Task
	Failed map[string]int // failures by worker that count against the task
	Lost   int            // number of workers with which the task was lost
	first  time.Duration  // time of the first counted failure
	last   time.Duration
	// excused means that the task failed while the stores were unreachable.
	excused bool
}

// Aside is a worker that must take no tasks for the time Cooldown.
type Aside struct {
	Worker   string
	Cooldown time.Duration
}

// failureRecord is the failure record of a worker.
type failureRecord struct {
	failures []time.Duration // the latest failures
	cooldown time.Duration   // the latest cooldown
	until    time.Duration   // end of the latest cooldown
}

// Failed records a failure that may be temporary and returns the verdict. A task is
// poison if it failed on three workers over at least ten seconds, or eight times over at
// least a minute. It is not poison while other tasks fail as widely.
func (f *Fleet) Failed(now time.Duration, t job.Task, worker string) (Verdict, Trial) {
	trial := f.trial(t)
	if len(trial.Failed) == 0 {
		trial.first = now
	}
	trial.last = now
	trial.Failed[worker]++
	if _, present := f.workers[worker]; present {
		c := f.failureRecord(worker)
		c.failures = append(c.failures[max(0, len(c.failures)-15):], now)
	}
	total := 0
	for _, n := range trial.Failed {
		total += n
	}
	elapsed := now - trial.first
	hopeless := len(trial.Failed) >= poisonWorkers && elapsed >= poisonTime || total >= poisonFailures && elapsed >= poisonLongTime
	if hopeless && !f.commonFault(now, t.Name()) {
		return Poison, trial.copy()
	}
	return Again, trial.copy()
}

// Lost records the number of workers with which a task was lost, and returns the verdict.
// A task lost with poisonDeaths workers is poison, unless it also failed otherwise or was
// excused.
func (f *Fleet) Lost(t job.Task, deaths int) (Verdict, Trial) {
	trial := f.trial(t)
	trial.Lost = deaths
	if deaths < poisonDeaths || trial.excused || len(trial.Failed) > 0 {
		return Again, trial.copy()
	}
	return Poison, trial.copy()
}

// Outage records that this coordinator cannot reach the stores either. Failures so far
// then count against no task and no worker.
func (f *Fleet) Outage() {
	for _, trial := range f.trials {
		clear(trial.Failed)
		trial.excused = true
	}
	for _, c := range f.failureRecords {
		c.failures = nil
	}
}

// Done records that a job has this many steps and that worker by committed the last one.
// It returns the workers to set aside: those that failed tasks that others then did. It
// sets no worker aside if more than half of the fleet has failed recently, and never the
// last worker with its arithmetic.
func (f *Fleet) Done(now time.Duration, ref job.Ref, steps int64, by string) []Aside {
	blamed := map[string]bool{}
	for name, trial := range f.trials {
		if trial.Task.Ref != ref || trial.Task.Step >= steps {
			continue
		}
		delete(f.trials, name)
		for worker := range trial.Failed {
			blamed[worker] = true
		}
	}
	if len(blamed) == 0 || f.allFail(now) {
		return nil
	}
	delete(blamed, by)
	var asides []Aside
	for _, worker := range slices.Sorted(maps.Keys(blamed)) {
		if cooldown := f.setAside(now, worker); cooldown > 0 {
			asides = append(asides, Aside{Worker: worker, Cooldown: cooldown})
		}
	}
	return asides
}

// Forget discards the records of a job and its tasks.
func (f *Fleet) Forget(ref job.Ref) {
	delete(f.unsupported, ref)
	maps.DeleteFunc(f.trials, func(_ string, t *Trial) bool { return t.Task.Ref == ref })
}

// setAside starts the next cooldown of a worker and returns its length, twice the last
// one. It returns 0 if the worker has too few recent failures or no other worker can
// replace it.
func (f *Fleet) setAside(now time.Duration, worker string) time.Duration {
	m, present := f.workers[worker]
	c := f.failureRecord(worker)
	if !present || m.aside || c.recent(now) < setAsideFailures {
		return 0
	}
	others := f.Slots(m.numerics, Need{}) - m.slots
	if others <= 0 {
		return 0
	}
	if c.cooldown == 0 || now > c.until+cooldownReset {
		c.cooldown = firstCooldown
	} else {
		c.cooldown = min(2*c.cooldown, lastCooldown)
	}
	c.until, c.failures = now+c.cooldown, nil
	m.aside = true
	f.workers[worker] = m
	f.change()
	return c.cooldown
}

// commonFault reports whether tasks other than the named one fail as widely: on at least
// half of the workers.
func (f *Fleet) commonFault(now time.Duration, task string) bool {
	failing := map[string]bool{}
	for name, trial := range f.trials {
		if name == task || now-trial.last > recently {
			continue
		}
		for worker := range trial.Failed {
			failing[worker] = true
		}
	}
	return 2*len(failing) >= max(1, len(f.workers))
}

// allFail reports whether more than half of the workers failed recently.
func (f *Fleet) allFail(now time.Duration) bool {
	failing := 0
	for _, c := range f.failureRecords {
		if c.recent(now) > 0 {
			failing++
		}
	}
	return 2*failing > len(f.workers)
}

func (f *Fleet) trial(t job.Task) *Trial {
	trial := f.trials[t.Name()]
	if trial == nil {
		trial = &Trial{Task: t, Failed: map[string]int{}}
		f.trials[t.Name()] = trial
	}
	return trial
}

func (f *Fleet) failureRecord(worker string) *failureRecord {
	c := f.failureRecords[worker]
	if c == nil {
		c = new(failureRecord)
		f.failureRecords[worker] = c
	}
	return c
}

// recent counts the recent failures.
func (c *failureRecord) recent(now time.Duration) (n int) {
	for _, at := range c.failures {
		if now-at <= recently {
			n++
		}
	}
	return n
}

func (t *Trial) copy() Trial {
	c := *t
	c.Failed = maps.Clone(t.Failed)
	return c
}
