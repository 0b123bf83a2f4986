package compute

import (
	"context"
	"errors"
	"fmt"

	"tributary/shared/job"
)

// Records tells what is recorded of jobs.
type Records interface {
	// Record returns a job's record. It fails with job.ErrNotFound when there is none.
	Record(ctx context.Context, id job.ID) (job.Record, error)
}

// confirm makes sure that a task is what its job's record asks for. Tasks come from a
// queue on which anybody may publish: one of another plan would have the job trained on
// that plan. A task of no job, of another incarnation or plan, or of a job that has
// ended is handed back, and discarded after a few deliveries: the record that this worker
// was given may be older than the task. It is nobody's failure.
func (c *Computer) confirm(ctx context.Context, t job.Task) error {
	if c.Records == nil {
		return nil
	}
	r, err := c.Records.Record(ctx, t.Job)
	switch {
	case errors.Is(err, job.ErrNotFound):
		return fmt.Errorf("task %s: there is no such job: %w", t.Name(), job.ErrUnready)
	case err != nil:
		return fmt.Errorf("task %s: read the job's record: %w", t.Name(), err)
	case r.Ref() != t.Ref:
		return fmt.Errorf("task %s: the job's id stands for run %s: %w", t.Name(), r.Run, job.ErrUnready)
	case r.State.Final():
		return fmt.Errorf("task %s: the job is %s: %w", t.Name(), r.State, job.ErrUnready)
	case r.Plan == "":
		return fmt.Errorf("task %s: the job has no plan yet: %w", t.Name(), job.ErrUnready)
	case r.Plan != t.Plan:
		return fmt.Errorf("task %s is of plan %.12s, and the job's plan is %.12s: %w", t.Name(), t.Plan, r.Plan, job.ErrUnready)
	}
	return nil
}
