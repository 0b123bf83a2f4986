package compute

import "context"

// Hold is what a task has of its worker while it is carried out.
type Hold interface {
	// Progress is to be called when part of the work is done.
	Progress()
	// Threads is how much the task may compute at a time, at least 1.
	Threads() int
	// Leaving ends when the worker is to stop.
	Leaving() <-chan struct{}
	// Aside runs wait while others may compute in the task's place.
	Aside(ctx context.Context, wait func() error) error
}
