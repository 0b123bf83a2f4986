package compute

import (
	"context"
	"errors"
	"fmt"

	"tributary/shared/job"
)

// Records reads the records of jobs.
type Records interface {
	// Record returns a job's record. It fails with job.ErrNotFound when there is none.
	Record(ctx context.Context, id job.ID) (job.Record, error)
}

// confirm checks that a task is what its job's record asks for. Any client can publish
// tasks to the queue, and a task of another plan would train the job on that plan.
//
// confirm fails with job.ErrUnready if the job does not exist or has ended, or if the
// task is of another incarnation or plan. This is not a failure of the task: the record
// that this worker read may be older than the task. So the worker hands the task back,
// and discards it after a few deliveries.
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
