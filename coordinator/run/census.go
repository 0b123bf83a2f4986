package run

import (
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"tributary/shared/job"
	"tributary/shared/telemetry"
)

// census counts the jobs of all coordinators by state, from their records, for metrics.
// It needs a few words of memory per job that has not ended. It is safe for concurrent
// use.
type census struct {
	ended *prometheus.CounterVec // by state; nil before the metrics are registered

	mu   sync.Mutex
	jobs map[job.Ref]counted
}

// counted is what the metrics need of a job that has not ended.
type counted struct {
	state   job.State
	waiting bool
	saved   time.Time // last save of the training state; the job's start before the first checkpoint
}

// alive lists the states of jobs that have not ended.
var alive = []job.State{job.Submitted, job.Preparing, job.Running, job.Paused}

func newCensus() *census { return &census{jobs: map[job.Ref]counted{}} }

// record records a record. A job's end counts only if the census saw the job alive.
func (c *census) record(r job.Record) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if r.State.Final() {
		if _, known := c.jobs[r.Ref()]; known && c.ended != nil {
			c.ended.WithLabelValues(string(r.State)).Inc()
		}
		delete(c.jobs, r.Ref())
		return
	}
	now := counted{state: r.State, waiting: r.State.Driven() && r.Message != ""}
	switch {
	case len(r.Checkpoints) > 0:
		now.saved = r.Checkpoints[0].Time
	case r.Started != nil:
		now.saved = *r.Started
	}
	c.jobs[r.Ref()] = now
}

// forget discards a job whose record was removed.
func (c *census) forget(ref job.Ref) {
	c.mu.Lock()
	defer c.mu.Unlock()
	delete(c.jobs, ref)
}

// count returns how many jobs match.
func (c *census) count(match func(counted) bool) float64 {
	c.mu.Lock()
	defer c.mu.Unlock()
	n := 0
	for _, j := range c.jobs {
		if match(j) {
			n++
		}
	}
	return float64(n)
}

// unsaved returns the longest time in seconds since a running job's training state was
// saved. known is false if no job runs.
func (c *census) unsaved(now time.Time) (seconds float64, known bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, j := range c.jobs {
		if j.state == job.Running && !j.saved.IsZero() {
			seconds, known = max(seconds, now.Sub(j.saved).Seconds()), true
		}
	}
	return seconds, known
}

func (c *census) measure(m *telemetry.Metrics, volatile bool) {
	m.GaugesFunc("jobs_by_state", "Jobs of all coordinators that have not ended, by state.", "state", words(alive), func(state string) (float64, bool) {
		return c.count(func(j counted) bool { return string(j.state) == state }), true
	})
	m.GaugeFunc("jobs_waiting", "Jobs of all coordinators that wait for something: a worker, room, a store.", func() (float64, bool) {
		return c.count(func(j counted) bool { return j.waiting }), true
	})
	if !volatile {
		m.GaugeFunc("checkpoint_age_seconds", "The longest time since the newest checkpoint of a running job, or since its start; NaN when none runs.", func() (float64, bool) {
			return c.unsaved(time.Now())
		})
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.ended = m.Counter("jobs_ended_total", "Jobs of all coordinators that have ended since this one started, by state.", "state")
	for _, state := range []job.State{job.Succeeded, job.Failed, job.Cancelled} {
		c.ended.WithLabelValues(string(state)) // start at 0, so that the first end is an increase
	}
}

func words(states []job.State) []string {
	out := make([]string, len(states))
	for i, s := range states {
		out[i] = string(s)
	}
	return out
}
