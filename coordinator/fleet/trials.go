package fleet

import (
	"maps"
	"slices"
	"time"

	"tributary/shared/job"
)

// What it takes for a task to be given up on although each of its failures
// looked as if it would pass. An attempt that was lost with its worker is no
// failure.
const (
	poisonWorkers  = 3 // of which it failed on each,
	poisonSpan     = 10 * time.Second
	poisonFailures = 8 // or failures, wherever:
	stubbornSpan   = time.Minute
	poisonDeaths   = 8 // or so many workers that took it and were not heard of again
	// recently is how long a failure speaks for trouble that all have.
	recently = 10 * time.Second
)

// What it takes for a worker to be set aside, and for how long it is.
const (
	blameFailures = 2 // of a worker, recently, at tasks that then others did
	firstCooldown = time.Second
	lastCooldown  = time.Minute
	// forgiven is how long after a cooldown the next one is the first again.
	forgiven = time.Minute
)

// Verdict is what becomes of a task after a failed or lost attempt.
type Verdict string

// The verdicts.
const (
	Again  Verdict = "again"  // it is tried again
	Poison Verdict = "poison" // it will never succeed: its job fails
)

// Trial is what is known of a task that did not succeed at once.
type Trial struct {
	Task   job.Task
	Failed map[string]int // failures by worker that tell something about the task
	Lost   int            // attempts of which nothing was heard again
	first  time.Duration  // of the failures counted
	last   time.Duration
	// excused: it failed while the stores were out of reach.
	excused bool
}

// Aside is a worker that is to take no tasks for a while.
type Aside struct {
	Worker   string
	Cooldown time.Duration
}

// conduct is what is held against a worker.
type conduct struct {
	failures []time.Duration // the latest ones
	cooldown time.Duration   // the latest one
	until    time.Duration   // its end
}

// Failed notes that a worker failed a task for a reason that may pass, and says
// whether to believe that. A task is poison when it failed on three workers for
// ten seconds, or eight times for a minute, and there is no trouble that others
// have as well.
func (f *Fleet) Failed(now time.Duration, t job.Task, worker string) (Verdict, Trial) {
	trial := f.trial(t)
	if len(trial.Failed) == 0 {
		trial.first = now
	}
	trial.last = now
	trial.Failed[worker]++
	if _, present := f.workers[worker]; present {
		c := f.conduct(worker)
		c.failures = append(c.failures[max(0, len(c.failures)-15):], now)
	}
	total := 0
	for _, n := range trial.Failed {
		total += n
	}
	span := now - trial.first
	hopeless := len(trial.Failed) >= poisonWorkers && span >= poisonSpan || total >= poisonFailures && span >= stubbornSpan
	if hopeless && !f.trouble(now, t.Name()) {
		return Poison, trial.copy()
	}
	return Again, trial.copy()
}

// Lost notes with how many workers a task was lost so far, of which nothing came, and
// says whether to try it again. One that failed otherwise is; one that so many workers
// did not survive is poison.
func (f *Fleet) Lost(t job.Task, deaths int) (Verdict, Trial) {
	trial := f.trial(t)
	trial.Lost = deaths
	if deaths < poisonDeaths || trial.excused || len(trial.Failed) > 0 {
		return Again, trial.copy()
	}
	return Poison, trial.copy()
}

// Outage notes that the stores cannot be reached from here either: what has
// failed so far says nothing about tasks, nor about workers.
func (f *Fleet) Outage() {
	for _, trial := range f.trials {
		clear(trial.Failed)
		trial.excused = true
	}
	for _, c := range f.conducts {
		c.failures = nil
	}
}

// Done notes that a job has so many steps, the last by the named worker, and
// returns who is to be set aside: workers that failed what others then did.
// Nobody is when most of the fleet has failed something, nor the last worker
// with its arithmetic.
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

// Forget drops what is known of a job and its tasks.
func (f *Fleet) Forget(ref job.Ref) {
	delete(f.unsupported, ref)
	maps.DeleteFunc(f.trials, func(_ string, t *Trial) bool { return t.Task.Ref == ref })
}

// setAside starts the next cooldown of a worker, twice as long as the last, if
// it has earned one and others can do without it.
func (f *Fleet) setAside(now time.Duration, worker string) time.Duration {
	m, present := f.workers[worker]
	c := f.conduct(worker)
	if !present || m.aside || c.recent(now) < blameFailures {
		return 0
	}
	others := f.Slots(m.numerics, Need{}) - m.slots
	if others <= 0 {
		return 0
	}
	if c.cooldown == 0 || now > c.until+forgiven {
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

// trouble reports whether other tasks than the named one fail as widely: on at
// least half of the workers there are.
func (f *Fleet) trouble(now time.Duration, task string) bool {
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

// allFail reports whether more than half of the workers failed something lately.
func (f *Fleet) allFail(now time.Duration) bool {
	failing := 0
	for _, c := range f.conducts {
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

func (f *Fleet) conduct(worker string) *conduct {
	c := f.conducts[worker]
	if c == nil {
		c = new(conduct)
		f.conducts[worker] = c
	}
	return c
}

// recent counts the failures that are not long ago.
func (c *conduct) recent(now time.Duration) (n int) {
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
