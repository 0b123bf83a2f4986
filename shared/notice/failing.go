package notice

import (
	"errors"
	"fmt"
	"time"

	"tributary/shared/job"
)

// MaxCooldown bounds how long a coordinator can set a worker aside.
const MaxCooldown = time.Minute

// Aside asks a worker to take no tasks for a while, because it fails tasks that other
// workers then complete. The journal of the job whose tasks it fails has a note of it; see
// package journal.
type Aside struct {
	job.Ref
	Worker  string  `json:"worker"`
	Seconds float64 `json:"seconds"` // counted from the arrival of the notice
}

// About implements Notice: its subject names no job.
func (a Aside) About() job.ID { return "" }

// Cooldown returns how long the worker must take no tasks.
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

// DeadLetter is a task that was given up, with its job, so that people can examine it.
// Retrying the job publishes the task again.
type DeadLetter struct {
	job.Ref
	Time   time.Time      `json:"time"`
	Task   job.Task       `json:"task"`
	Name   string         `json:"name"`             // of the task
	Worker string         `json:"worker,omitempty"` // the last worker that failed it
	Error  string         `json:"error"`
	Failed map[string]int `json:"failed,omitempty"` // failed attempts by worker
	Lost   int            `json:"lost,omitempty"`   // deliveries that got no answer
}

// About implements Notice.
func (d DeadLetter) About() job.ID { return d.Job }

// Validate implements Notice.
func (d DeadLetter) Validate() error {
	return errors.Join(checkRef(d.Ref), checkText("worker", d.Worker, maxName), checkText("error", d.Error, MaxText))
}
