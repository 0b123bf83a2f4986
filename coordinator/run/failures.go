package run

import (
	"context"
	"fmt"

	"tributary/shared/job"
	"tributary/shared/notice"
)

// failed takes a worker's report: poison ends the job, anything else is tried again.
func (t *training) failed(f notice.Failure) error {
	if f.Poison {
		return fmt.Errorf("task %s on worker %s: %s: %w", f.Task.Name(), f.Worker, f.Error, job.ErrPoison)
	}
	t.failures[f.Task.Name()] = f.Error
	t.publish(notice.Event{Type: notice.ErrorEvent, Step: f.Task.Step, Message: fmt.Sprintf("task %s failed on worker %s and is tried again: %s", f.Task.Name(), f.Worker, f.Error)})
	return nil
}

// exhausted takes a task the queue has given up on. One that failed for
// passing reasons, or may have, before this driver listened, is asked for
// again; one that was lost with every worker that took it is poison.
func (t *training) exhausted(ctx context.Context, e exhausted) error {
	name := e.task.Name()
	if e.task.Step < t.round.Committed() {
		return nil
	}
	if _, passing := t.failures[name]; passing || e.task.Attempt < t.era {
		delete(t.failures, name)
		return t.inspect(ctx, t.round.Committed())
	}
	return fmt.Errorf("task %s was delivered %d times and no worker came back with a result: %w", name, e.deliveries, job.ErrPoison)
}
