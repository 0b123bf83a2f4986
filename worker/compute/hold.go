package compute

import "context"

// Hold is what a worker gives a task while it runs.
type Hold interface {
	// Progress keeps the task's lease. The task calls it after each part of its work.
	Progress()
	// Threads returns how many threads the task may use, at least 1.
	Threads() int
	// Leaving returns a channel that is closed when the worker must stop.
	Leaving() <-chan struct{}
	// Aside runs wait, and lets other tasks compute in place of this task meanwhile.
	Aside(ctx context.Context, wait func() error) error
}
