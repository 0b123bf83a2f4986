// Package queue is the contract of the task queue: what may be relied on when
// a coordinator publishes a task and a worker takes it.
//
// It owns the contract and a memory adapter (queue/memory); package broker
// implements it on NATS JetStream, and queuetest is the suite both pass.
//
// Invariant: the queue is a cache of the ledger. A task may be delivered many
// times, late, or (after a loss of the queue) never; nothing is wrong then,
// only slow, until the coordinator publishes what is missing again.
package queue

import (
	"context"
	"time"

	"tributary/shared/job"
)

// Lane keeps work that must never wait apart from work that may: each has its
// own slots in every worker, so that the next gradient never stands in line
// behind an evaluation.
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

// Class is what a consumer asks for: tasks of a lane that must be computed
// with one numerics fingerprint, of jobs of one class. There are few classes, whatever the
// number of jobs and workers.
type Class struct {
	Lane     Lane
	Numerics job.Numerics
	Job      job.Class
}

// ClassOf returns the class of a task.
func ClassOf(t job.Task) Class {
	return Class{Lane: LaneOf(t.Kind), Numerics: t.Numerics, Job: t.Class}
}

// Queue hands tasks from coordinators to workers. Implementations are safe
// for concurrent use.
type Queue interface {
	// Publish adds tasks, in order. Within a short window a task whose MsgID
	// was already published is dropped. It fails with job.ErrFull when the
	// queue is at its limit in bytes; tasks before the failing one were added.
	Publish(ctx context.Context, tasks ...job.Task) error
	// Subscribe returns a source of the tasks of one class or several. None of them waits
	// for ever behind the others.
	Subscribe(ctx context.Context, classes ...Class) (Subscription, error)
	// Taken reports whether anybody takes tasks of the class: waits for one now, or has
	// one in hand. It is what the queue itself knows of workers.
	Taken(ctx context.Context, class Class) (bool, error)
}

// Subscription is one slot's source of tasks. It is used by one goroutine.
type Subscription interface {
	// Next waits for a task and leases it to the caller. It asks the queue for
	// one task of each class at a time and only while it waits, so a busy slot holds nothing
	// that another could do. It returns ctx's error when ctx ends, and retries
	// by itself while the queue is unreachable.
	Next(ctx context.Context) (Delivery, error)
	// Close gives the subscription up.
	Close()
}

// Delivery is one attempt at one task, leased until Ack, Nak or Term, or until
// the lease runs out: then the queue delivers the task to somebody again.
type Delivery interface {
	Task() job.Task
	// Delivered counts the deliveries of this publication, 1 for the first.
	Delivered() int
	// Lease is how long the delivery is held without InProgress.
	Lease() time.Duration
	// InProgress renews the lease. Call it only when progress was made.
	InProgress() error
	// Ack removes the task. It returns when the queue has confirmed it.
	Ack(ctx context.Context) error
	// Nak hands the task back, to be delivered again after the delay.
	Nak(delay time.Duration) error
	// Term removes the task because it can never succeed.
	Term(reason string) error
}
