// Package queue defines the contract of the task queue: what a coordinator that publishes a
// task, and a worker that takes it, can rely on.
//
// It owns the interfaces. Package queue/memory implements them in one process, package
// broker on NATS JetStream; queuetest is the test suite that both pass. Coordinators and
// workers use the queue through these interfaces.
//
// Invariant: the queue is a cache of the ledger. It may deliver a task many times, late, or
// never (after it has lost its data). That never makes a result wrong. It only makes the
// job slow, until the coordinator publishes the missing tasks again.
package queue

import (
	"context"
	"time"

	"tributary/shared/job"
)

// Lane separates work that must never wait from work that may wait. Each lane has its own
// slots in every worker, so that a gradient task never waits behind an evaluation.
type Lane string

// The lanes.
const (
	GradientLane   Lane = "gradient"
	BackgroundLane Lane = "background" // evaluations and snapshots
)

// LaneOf returns the lane of a kind of task.
func LaneOf(k job.Kind) Lane {
	if k == job.Gradient {
		return GradientLane
	}
	return BackgroundLane
}

// Class says which tasks a consumer takes: tasks of one lane, of one numerics fingerprint,
// of jobs of one class. There are only a few classes, for any number of jobs and workers.
type Class struct {
	Lane     Lane
	Numerics job.Numerics
	Job      job.Class
}

// ClassOf returns the class of a task.
func ClassOf(t job.Task) Class {
	return Class{Lane: LaneOf(t.Kind), Numerics: t.Numerics, Job: t.Class}
}

// Queue moves tasks from coordinators to workers. Implementations are safe for concurrent
// use.
type Queue interface {
	// Publish adds tasks, in order. It drops a task if one with the same MsgID was
	// published a short time (the window) before. It fails with job.ErrFull when the queue
	// is at its limit in bytes; then it has added the tasks before the one that failed.
	Publish(ctx context.Context, tasks ...job.Task) error
	// Subscribe returns a source of tasks of one or several classes. No class waits for
	// ever behind the others.
	Subscribe(ctx context.Context, classes ...Class) (Subscription, error)
	// Taken reports whether any consumer takes tasks of the class: one waits for a task
	// now, or holds one. This is all that the queue itself knows about workers.
	Taken(ctx context.Context, class Class) (bool, error)
}

// Subscription is the source of tasks of one slot. Only one goroutine may use it.
type Subscription interface {
	// Next waits for a task and leases it to the caller. It asks the queue for one task of
	// each class at a time, and only while it waits. So a busy slot holds no task that
	// another slot could compute. It returns ctx's error when ctx ends. While the queue is
	// unreachable, Next retries by itself.
	Next(ctx context.Context) (Delivery, error)
	// Close ends the subscription.
	Close()
}

// Delivery is one attempt at one task. The caller holds its lease until Ack, Nak or Term,
// or until the lease ends. When the lease ends, the queue delivers the task again, to any
// consumer.
type Delivery interface {
	Task() job.Task
	// Delivered returns the number of deliveries of this publication, 1 for the first.
	Delivered() int
	// Lease returns how long the delivery is leased without InProgress.
	Lease() time.Duration
	// InProgress renews the lease. Call it only after progress.
	InProgress() error
	// Ack removes the task. It returns after the queue has confirmed that.
	Ack(ctx context.Context) error
	// Nak returns the task to the queue, which delivers it again after the delay.
	Nak(delay time.Duration) error
	// Term removes the task because it can never succeed.
	Term(reason string) error
}
