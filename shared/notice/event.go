package notice

import (
	"errors"
	"fmt"
	"math"
	"slices"
	"time"

	"tributary/shared/job"
	"tributary/shared/readable"
)

// EventType says what an event reports.
type EventType string

// The types of event.
const (
	StateEvent      EventType = "state"      // the job changed its state
	ProgressEvent   EventType = "progress"   // a step's loss, at a bounded rate
	EvaluationEvent EventType = "evaluation" // metrics of a split
	WaitingEvent    EventType = "waiting"    // the job makes no progress until what Message names happens
	NoteEvent       EventType = "note"       // something worth knowing, in Message
	ErrorEvent      EventType = "error"      // something failed; the job may go on
	// VerificationEvent: a verification that a user asked for made progress or has ended.
	VerificationEvent EventType = "verification"
)

// EventTypes lists every type of event.
var EventTypes = []EventType{StateEvent, ProgressEvent, EvaluationEvent, WaitingEvent, NoteEvent, ErrorEvent, VerificationEvent}

// maxMetrics bounds the metrics of one event.
const maxMetrics = 64

// Event is one line of a job's history, for people and their tools. A stream keeps the
// events, so a reader that comes late still sees all of them.
type Event struct {
	Job              job.ID             `json:"job"`
	Run              job.Run            `json:"run,omitempty"`
	Time             time.Time          `json:"time"`
	Type             EventType          `json:"type"`
	State            job.State          `json:"state,omitempty"`
	Step             int64              `json:"step"`                    // steps committed
	Steps            int64              `json:"steps,omitempty"`         // steps the job will take
	Epoch            int64              `json:"epoch,omitempty"`         // epochs started, 1 for the first
	Loss             *float64           `json:"loss,omitempty"`          // training loss of the batch of step Step-1
	GradientNorm     *GradientNorm      `json:"gradient_norm,omitempty"` // the newest that a worker has reported
	Split            job.Split          `json:"split,omitempty"`         // of an evaluation
	Metrics          map[string]float64 `json:"metrics,omitempty"`
	Undefined        map[string]string  `json:"undefined,omitempty"`          // of an evaluation: the metrics that could not be computed, with the reason, by name
	Workers          int                `json:"workers,omitempty"`            // workers present
	SamplesPerSecond float64            `json:"samples_per_second,omitempty"` // rows trained on
	Message          string             `json:"message,omitempty"`            // a sentence for people
	Outcome          *job.Outcome       `json:"outcome,omitempty"`            // of a job that has succeeded
	Verification     *job.Verification  `json:"verification,omitempty"`
}

// About implements Notice.
func (e Event) About() job.ID { return e.Job }

// Droppable reports whether a program may leave the event out when there are too many.
func (e Event) Droppable() bool {
	return e.Type == ProgressEvent || e.Verification != nil && e.Verification.State == job.Verifying
}

// Validate implements Notice.
func (e Event) Validate() error {
	err := errors.Join(
		e.Job.Validate(),
		checkText("run", string(e.Run), maxName),
		checkText("message", e.Message, MaxText),
		checkCount("step", e.Step),
		checkCount("steps", e.Steps),
		e.GradientNorm.Validate(),
	)
	if !slices.Contains(EventTypes, e.Type) {
		err = errors.Join(err, fmt.Errorf("type is %.80q; it must be one of %q: %w", e.Type, EventTypes, job.ErrInvalid))
	}
	if len(e.Undefined) > maxMetrics {
		err = errors.Join(err, fmt.Errorf("undefined has %d entries; at most %d are allowed: %w", len(e.Undefined), maxMetrics, job.ErrInvalid))
	}
	for name, why := range e.Undefined {
		err = errors.Join(err, checkText(fmt.Sprintf("undefined.%.80q", name), why, MaxText))
	}
	if len(e.Metrics) > maxMetrics {
		err = errors.Join(err, fmt.Errorf("metrics has %d entries; at most %d are allowed: %w", len(e.Metrics), maxMetrics, job.ErrInvalid))
	}
	return err
}

// MarshalJSON leaves out the numbers that JSON cannot represent: NaN and ±Inf. Undefined
// names such metrics.
func (e Event) MarshalJSON() ([]byte, error) {
	type plain Event
	p := plain(e)
	if p.Loss != nil && !finite(*p.Loss) {
		p.Loss = nil
	}
	if !finite(p.SamplesPerSecond) {
		p.SamplesPerSecond = 0
	}
	p.Metrics, p.Undefined = job.FiniteFigures(e.Metrics, e.Undefined)
	return readable.JSON(p)
}

func finite(v float64) bool { return !math.IsNaN(v) && !math.IsInf(v, 0) }
