package notice

import (
	"errors"
	"fmt"

	"tributary/shared/job"
)

// Notice is what all notices have in common.
type Notice interface {
	// About names the job the notice is about, "" when it is about none.
	About() job.ID
	// Validate reports every field that is out of bounds.
	Validate() error
}

// Commit says that a step's root gradient is in the log.
type Commit struct {
	job.Ref
	Step      int64  `json:"step"`             // the step that was committed
	Committed int64  `json:"committed"`        // steps committed so far, more than Step
	Worker    string `json:"worker,omitempty"` // the worker that committed it
	// GradientNorm is that of a step before Committed; nil: the worker has none to report.
	GradientNorm *GradientNorm `json:"gradient_norm,omitempty"`
}

// GradientNorm is the L2 norm of the mean gradient of one step, before any clipping.
type GradientNorm struct {
	Step int64   `json:"step"` // number of steps before it
	Norm float64 `json:"norm"`
}

// Validate reports a norm that is not finite, and every field that is out of bounds.
func (n *GradientNorm) Validate() error {
	if n == nil {
		return nil
	}
	err := checkCount("gradient_norm.step", n.Step)
	if !(n.Norm >= 0) || !finite(n.Norm) {
		err = errors.Join(err, fmt.Errorf("gradient_norm.norm is %v; it must be finite and at least 0: %w", n.Norm, job.ErrInvalid))
	}
	return err
}

// Evaluated says that the result of one unit of an evaluation was stored.
type Evaluated struct {
	job.Ref
	Step   int64 `json:"step"`   // the evaluation's step
	Stored int   `json:"stored"` // units stored for it by now
}

// Snapshotted says that a snapshot is in the ledger.
type Snapshotted struct {
	job.Ref
	Step int64 `json:"step"` // steps folded into it
}

// Checkpointed says that a checkpoint is in the blob store. It belongs to the job once the
// job's record lists it.
type Checkpointed struct {
	job.Ref
	Step   int64      `json:"step"`   // steps folded into it
	Digest job.Digest `json:"digest"` // of its manifest
}

// Recall tells workers to stop some gradient tasks that compute several steps: those of
// attempts below Before. A worker stops such a task after the step that it is computing.
// Other tasks take their place.
type Recall struct {
	job.Ref
	Before int `json:"before"` // the attempts below this one are recalled
}

// Failure says that a worker could not do a task.
type Failure struct {
	job.Ref
	Task   job.Task `json:"task"`
	Worker string   `json:"worker"`
	Error  string   `json:"error"`
	// Poison: the task would fail on every worker, so the job must fail.
	Poison bool `json:"poison,omitempty"`
	// Full: a store refuses the result for now. The attempt does not count as failed.
	Full bool `json:"full,omitempty"`
	// Unsupported: the worker's program does not know what the task asks for, but another
	// program may. The attempt does not count as failed.
	Unsupported bool `json:"unsupported,omitempty"`
}

// About implements Notice.
func (c Commit) About() job.ID { return c.Job }

// About implements Notice.
func (e Evaluated) About() job.ID { return e.Job }

// About implements Notice.
func (s Snapshotted) About() job.ID { return s.Job }

// About implements Notice.
func (c Checkpointed) About() job.ID { return c.Job }

// About implements Notice.
func (r Recall) About() job.ID { return r.Job }

// About implements Notice.
func (f Failure) About() job.ID { return f.Job }

// Validate implements Notice.
func (c Commit) Validate() error {
	err := errors.Join(checkRef(c.Ref), checkCount("step", c.Step), checkText("worker", c.Worker, maxName), c.GradientNorm.Validate())
	if err == nil && c.Committed <= c.Step {
		err = fmt.Errorf("committed is %d; it must be above step, %d: %w", c.Committed, c.Step, job.ErrInvalid)
	}
	return err
}

// Validate implements Notice.
func (e Evaluated) Validate() error {
	return errors.Join(checkRef(e.Ref), checkCount("step", e.Step), checkCount("stored", e.Stored))
}

// Validate implements Notice.
func (s Snapshotted) Validate() error {
	return errors.Join(checkRef(s.Ref), checkCount("step", s.Step))
}

// Validate implements Notice.
func (c Checkpointed) Validate() error {
	return errors.Join(checkRef(c.Ref), checkCount("step", c.Step), checkText("digest", string(c.Digest), maxName))
}

// Validate implements Notice.
func (r Recall) Validate() error {
	return errors.Join(checkRef(r.Ref), checkCount("before", int64(r.Before)))
}

// Validate implements Notice.
func (f Failure) Validate() error {
	err := errors.Join(
		checkRef(f.Ref),
		checkCount("task.step", f.Task.Step),
		checkText("worker", f.Worker, maxName),
		checkText("error", f.Error, MaxText),
	)
	if err == nil && f.Task.Ref != f.Ref {
		err = fmt.Errorf("task is of job %s; the notice is about %s: %w", f.Task.Ref, f.Ref, job.ErrInvalid)
	}
	return err
}
