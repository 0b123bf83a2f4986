package notice

import (
	"errors"
	"fmt"
	"time"

	"tributary/shared/job"
)

// MaxCooldown bounds how long a worker can be set aside.
const MaxCooldown = time.Minute

// Aside tells a worker to take no tasks for a while, because it fails what
// others then do. The job whose tasks it fails has a note of it, see package journal.
type Aside struct {
	job.Ref
	Worker  string  `json:"worker"`
	Seconds float64 `json:"seconds"` // from its arrival
}

// About implements Notice: its subject names no job.
func (a Aside) About() job.ID { return "" }

// Cooldown is how long the worker is to take no tasks.
func (a Aside) Cooldown() time.Duration { return time.Duration(a.Seconds * float64(time.Second)) }

// Validate implements Notice.
func (a Aside) Validate() error {
	err := errors.Join(checkRef(a.Ref), checkText("worker", a.Worker, maxName))
	if a.Worker == "" {
		err = errors.Join(err, fmt.Errorf("worker is empty: %w", job.ErrInvalid))
	}
	if !(a.Seconds > 0 && a.Seconds <= MaxCooldown.Seconds()) {
		err = errors.Join(err, fmt.Errorf("seconds is %v; it must be above 0 and at most %v: %w", a.Seconds, MaxCooldown.Seconds(), job.ErrInvalid))
	}
	return err
}

// DeadLetter is a task that was given up on, with its job, for people to look
// into. Retrying the job publishes the task again.
type DeadLetter struct {
	job.Ref
	Time   time.Time      `json:"time"`
	Task   job.Task       `json:"task"`
	Name   string         `json:"name"`             // of the task
	Worker string         `json:"worker,omitempty"` // that failed it last
	Error  string         `json:"error"`
	Failed map[string]int `json:"failed,omitempty"` // failed attempts by worker
	Lost   int            `json:"lost,omitempty"`   // deliveries of which nothing was heard again
}

// About implements Notice.
func (d DeadLetter) About() job.ID { return d.Job }

// Validate implements Notice.
func (d DeadLetter) Validate() error {
	return errors.Join(checkRef(d.Ref), checkText("worker", d.Worker, maxName), checkText("error", d.Error, MaxText))
}
