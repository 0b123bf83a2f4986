package train

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"tributary/coordinator/progress"
	"tributary/coordinator/run"
	"tributary/shared/job"
	"tributary/shared/notice"
)

// follower shows a job's events and waits for the job's end. It passes all events on to
// next.
type follower struct {
	next    run.Events
	display *progress.Display
	ended   chan notice.Event
	times   timeline

	mu    sync.Mutex
	id    job.ID
	state progress.State
}

func newFollower(next run.Events, display *progress.Display) *follower {
	return &follower{next: next, display: display, ended: make(chan notice.Event, 1)}
}

// follow sets the job to follow.
func (f *follower) follow(id job.ID) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.id = id
}

func (f *follower) follows(id job.ID) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.id == id
}

// Publish implements run.Events.
func (f *follower) Publish(e notice.Event) error {
	err := f.next.Publish(e)
	f.see(e)
	return err
}

// see shows an event of the followed job and notes the job's end.
func (f *follower) see(e notice.Event) {
	if !f.follows(e.Job) {
		return
	}
	f.times.see(e)
	f.mu.Lock()
	f.show(e)
	f.mu.Unlock()
	if e.Type == notice.StateEvent && e.State.Final() {
		select {
		case f.ended <- e:
		default: // an earlier event reported the end
		}
	}
}

// show puts an event on the display. The caller holds f.mu.
func (f *follower) show(e notice.Event) {
	s := &f.state
	switch e.Type {
	case notice.StateEvent:
		if !job.State(s.Phase).Final() { // an event after the end is outdated
			s.Phase = string(e.State)
		}
	case notice.ProgressEvent:
		s.Loss, s.SamplesPerSecond, s.Workers = e.Loss, e.SamplesPerSecond, e.Workers
		s.Step, s.Message = e.Step, ""
	case notice.EvaluationEvent:
		f.display.Evaluated(string(e.Split), evaluation(e))
		for _, name := range slices.Sorted(maps.Keys(e.Metrics)) {
			if name != "loss" {
				s.Metric, s.MetricValue = string(e.Split)+" "+name, e.Metrics[name]
				break
			}
		}
	case notice.WaitingEvent:
		s.Message = e.Message
		f.display.Log(e.Message)
	case notice.NoteEvent, notice.ErrorEvent, notice.VerificationEvent:
		f.display.Log(e.Message)
	}
	if e.Steps > 0 {
		s.Steps = e.Steps
	}
	f.display.Update(*s)
}

// pollEvery is how often the follower checks the record for an end without an event.
const pollEvery = 500 * time.Millisecond

// wait returns the outcome of the followed job, or an error with the reason why it has
// none. An event of this process reports the end at once. The record reports it if
// another coordinator drives the job or has driven it.
func (f *follower) wait(ctx context.Context, record func() (job.Record, error)) (*job.Outcome, error) {
	tick := time.NewTicker(pollEvery)
	defer tick.Stop()
	for {
		r, err := record()
		if err == nil && r.State.Final() {
			return ending(r)
		}
		if errors.Is(err, job.ErrNotFound) {
			return nil, err
		}
		select {
		case <-ctx.Done():
			return nil, context.Cause(ctx)
		case e := <-f.ended:
			return ending(job.Record{ID: e.Job, State: e.State, Error: e.Message, Outcome: e.Outcome})
		case <-tick.C: // a failed read may succeed at the next tick
		}
	}
}

// evaluation formats an evaluation as one line.
func evaluation(e notice.Event) string {
	var line strings.Builder
	fmt.Fprintf(&line, "step %d: %s", e.Step, e.Split)
	for _, name := range slices.Sorted(maps.Keys(e.Metrics)) {
		fmt.Fprintf(&line, " %s %.4g", name, e.Metrics[name])
	}
	for _, name := range slices.Sorted(maps.Keys(e.Undefined)) {
		fmt.Fprintf(&line, " %s undefined", name)
	}
	return line.String()
}
