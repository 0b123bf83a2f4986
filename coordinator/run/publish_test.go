package run

import (
	"testing"

	"github.com/stretchr/testify/require"

	"tributary/shared/job"
	"tributary/shared/notice"
	"tributary/shared/telemetry"
)

// published collects events.
type published struct{ all []notice.Event }

func (p *published) Publish(e notice.Event) error {
	p.all = append(p.all, e)
	return e.Validate()
}

func (p *published) of(types ...notice.EventType) (n int) {
	for _, e := range p.all {
		for _, t := range types {
			if e.Type == t {
				n++
			}
		}
	}
	return n
}

func TestAFaultThatRecursDoesNotFillTheEventsOfItsJob(t *testing.T) {
	var p published
	s := New(Config{Events: &p})
	d := &driver{service: s, ref: job.Ref{Job: "j", Run: "r"}, notes: telemetry.NewLimit()}
	other := &driver{service: s, ref: job.Ref{Job: "other", Run: "r"}, notes: telemetry.NewLimit()}
	loss := 1.0
	const many = 20_000
	for i := range int64(many) {
		d.publish(notice.Event{Type: notice.ErrorEvent, Step: i, Message: "a task failed and is tried again"})
		d.publish(notice.Event{Type: notice.ProgressEvent, Step: i + 1, Loss: &loss})
		d.publish(notice.Event{Type: notice.EvaluationEvent, Step: i, Split: job.Train, Metrics: map[string]float64{"loss": 1}})
		d.publish(notice.Event{Type: notice.StateEvent, State: job.Running})
	}
	require.Less(t, p.of(notice.ErrorEvent, notice.NoteEvent), many/10)
	require.Equal(t, 3*many, p.of(notice.ProgressEvent, notice.EvaluationEvent, notice.StateEvent), "these are never left out")

	before := len(p.all)
	other.publish(notice.Event{Type: notice.NoteEvent, Message: "hello"})
	require.Len(t, p.all, before+1, "another job is not limited by it")

	d.publish(notice.Event{Type: notice.StateEvent, State: job.Failed, Message: "why"})
	require.Len(t, p.all, before+3)
	require.Regexp(t, `^\d+ notes, errors and waits of this job were left out`, p.all[before+1].Message)
	require.Equal(t, job.Failed, p.all[before+2].State, "the end comes last")
}
