package trial

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"tributary/shared/job"
	"tributary/shared/readable"
)

// Job is a job of a sweep that has not ended, as far as the record says.
type Job struct {
	Trial  int
	ID     job.ID
	Epochs int // 0: the spec's own

	round, index int
}

// Course is a sweep and its record: what is over and what comes next.
type Course struct {
	*Sweep
	*Record
}

// NewCourse returns the course of a record. It fails with job.ErrCorrupt if the record is
// damaged.
func NewCourse(r *Record) (Course, error) {
	s, err := r.Content()
	if err == nil {
		err = r.Check()
	}
	return Course{s, r}, err
}

// round returns the index of the newest round that has begun.
func (c Course) round() int {
	k := 0
	for k+1 < len(c.Rounds) && c.Rounds[k+1].Values != nil {
		k++
	}
	return k
}

// Next returns the jobs that may run now: the first of the current round that have not
// ended, at most limit. It does not depend on which of them were submitted.
func (c Course) Next(limit int) []Job {
	k := c.round()
	o := &c.Rounds[k]
	var jobs []Job
	for i := range o.Values {
		if len(jobs) == limit {
			break
		}
		if !o.ended(i) {
			n := o.number(i)
			jobs = append(jobs, Job{Trial: n, ID: c.TrialID(n-1, k), Epochs: o.Epochs, round: k, index: i})
		}
	}
	return jobs
}

// End records how a job of Next has ended: out, or why it has no outcome.
func (c Course) End(j Job, out *job.Outcome, why string) {
	o := &c.Rounds[j.round]
	result := Result{Error: why}
	if out != nil {
		result.Metrics = out.Metrics
		c.Judge(&result)
	}
	if result.Value == nil {
		c.fail(o, j.Trial, result.Error)
		return
	}
	o.Values[j.index] = result.Value
	if c.Search == EachFold {
		if o.Metrics == nil {
			o.Metrics = make([]map[job.Split]map[string]float64, len(o.Values))
		}
		o.Metrics[j.index] = out.Metrics
	}
	if b := c.Best; b == nil || b.Epochs != o.Epochs || c.precedes(j.Trial, *result.Value, b) {
		c.Best = &Best{Trial: j.Trial, Job: j.ID, Value: *result.Value, Epochs: o.Epochs, ParametersSHA256: out.ParametersSHA256, Metrics: out.Metrics}
	}
}

// precedes reports whether a trial of the same round is better than b; of equal trials the
// first is.
func (c Course) precedes(number int, value float64, b *Best) bool {
	return c.Better(value, b.Value) || !c.Better(b.Value, value) && number < b.Trial
}

// fail records why a trial has no figure.
func (c Course) fail(o *Round, number int, why string) {
	if o.Failed == nil {
		o.Failed = map[int]string{}
	}
	if len(o.Failed) >= maxReasons || why == "" {
		why = "failed"
	}
	o.Failed[number] = clip(why)
}

// clip cuts a reason so that it takes at most maxReason bytes in the record's JSON, in which
// quotes and control characters take more than one.
func clip(why string) string {
	why = strings.ToValidUTF8(why[:min(len(why), maxReason)], "")
	for {
		data, err := readable.JSON(why)
		over := len(data) - len(`""`) - maxReason
		if err != nil || over <= 0 {
			return strings.Clone(why)
		}
		why = strings.ToValidUTF8(why[:len(why)-(over+5)/6], "")
	}
}

// Advance begins the next round if the current one is over, and ends the sweep after the
// last. It reports whether that changed the record.
func (c Course) Advance(now time.Time) bool {
	if c.State.Final() || len(c.Next(1)) > 0 {
		return false
	}
	k := c.round()
	o := &c.Rounds[k]
	if k+1 < len(c.Rounds) {
		var kept []int
		for _, t := range c.Keep(o.trials()) {
			kept = append(kept, t.Number)
		}
		if len(kept) > 0 {
			c.Rounds[k+1].Trials = kept
			c.Rounds[k+1].begin(len(kept))
			return true
		}
	}
	c.Finished, c.Settled, c.State = &now, true, Succeeded
	ranked := c.Ranked(c.Results())
	switch {
	case len(ranked) == 0:
		n := o.number(0)
		c.State, c.Best = Failed, nil
		c.Error = fmt.Sprintf("no trial has the figure %s of the validation split; trial %d: %s", c.Monitor, n, o.Failed[n])
	case c.Search == EachFold && len(o.Failed) > 0:
		n := slices.Min(slices.Collect(maps.Keys(o.Failed)))
		c.State, c.Best = Failed, nil
		c.Error = fmt.Sprintf("fold %d: %s", n, o.Failed[n])
	default:
		c.choose(ranked[0])
	}
	return true
}

// choose makes the best trial of all the best one. It is another one if a trial that went on
// to the last round failed there.
func (c Course) choose(t *Trial) {
	if c.Best != nil && c.Best.Trial == t.Number && c.Best.Epochs == t.Epochs {
		return
	}
	round := slices.IndexFunc(c.Rounds, func(o Round) bool { return o.Epochs == t.Epochs })
	c.Best = &Best{Trial: t.Number, Job: c.TrialID(t.Number-1, round), Value: *t.Value, Epochs: t.Epochs}
}

// Incomplete reports whether the record has the figure alone of the best trial, because
// its round is an earlier one; see Complete.
func (c Course) Incomplete() bool { return c.Best != nil && c.Best.Metrics == nil }

// Complete adds what the job of the best trial gave, unless that is another job's outcome.
func (c Course) Complete(out *job.Outcome) {
	if v, ok := out.Metrics[job.Validation][c.Monitor]; ok && v == c.Best.Value {
		c.Best.ParametersSHA256, c.Best.Metrics = out.ParametersSHA256, out.Metrics
	}
}

// trials returns the results of one round, without the trials' values.
func (o *Round) trials() []*Trial {
	all := make([]*Trial, len(o.Values))
	for i, v := range o.Values {
		n := o.number(i)
		all[i] = &Trial{Number: n, Result: Result{Epochs: o.Epochs, Value: v, Error: o.Failed[n]}}
		if o.Metrics != nil {
			all[i].Metrics = o.Metrics[i]
		}
	}
	return all
}

// Results returns the newest result of each trial, in the order of their numbers, without the
// trials' values.
func (c Course) Results() []*Trial {
	all := make([]*Trial, c.Record.Trials)
	for k := range c.Rounds {
		for _, t := range c.Rounds[k].trials() {
			if k == 0 || t.Value != nil || t.Error != "" {
				all[t.Number-1] = t
			}
		}
	}
	return all
}

// Done returns how many jobs of the round have ended.
func (o *Round) Done() (n int) {
	for i, v := range o.Values {
		if _, failed := o.Failed[o.number(i)]; failed || v != nil {
			n++
		}
	}
	return n
}

// Order returns the trials as a table shows them: the best first, then those that have not
// ended, and the failed last.
func (c Course) Order(all []*Trial) []*Trial {
	order := c.Ranked(all)
	for _, failed := range []bool{false, true} {
		for _, t := range all {
			if t.Value == nil && (t.Error != "") == failed {
				order = append(order, t)
			}
		}
	}
	return order
}

// NewestJob returns the id of a trial's job in the newest round that has the trial.
func (c Course) NewestJob(number int) job.ID {
	k := c.round()
	for k > 0 && !slices.Contains(c.Rounds[k].Trials, number) {
		k--
	}
	return c.TrialID(number-1, k)
}
