// Package queuetest is the test suite that every queue.Queue must pass.
//
// It owns what the contract means in tests. The test of an adapter provides a Fixture and
// says how time passes for it. Only tests import the package.
//
// Invariant: a case waits only for events, or for a lease or a delay of the queue itself.
// So under synctest it takes no real time.
package queuetest

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"tributary/shared/job"
	"tributary/shared/queue"
	"tributary/shared/tree"
)

// Options says which queue a case needs.
type Options struct {
	Lease      time.Duration
	MaxDeliver int
	Bytes      int // the queue's limit
	Duplicates time.Duration
}

// Exhausted is a task that the queue gave up.
type Exhausted struct {
	Task       job.Task
	Deliveries int
}

// Fixture is an empty queue, with functions that disturb it. A nil function: the adapter
// does not support it.
type Fixture struct {
	Queue     queue.Queue
	Exhausted <-chan Exhausted // with room for every task of a case
	Lose      func()           // loses every task; the queue continues, empty
	Restart   func()           // stops the server and starts it again; no task is lost
	Inject    func(c queue.Class, data []byte)
}

// Harness describes an adapter under test.
type Harness struct {
	// Open returns a fixture that exists until the test ends.
	Open func(t *testing.T, o Options) Fixture
	// Wrap runs a case, for instance in a synctest bubble; nil: the case runs directly.
	Wrap func(t *testing.T, body func(t *testing.T))
	// Tick is the unit of leases and delays: as short as the adapter's clock and scheduling
	// allow. A case waits at most a few tens of ticks.
	Tick time.Duration
	// Parallel runs the cases in parallel, for adapters that wait in real time.
	Parallel bool
}

// Run runs the suite.
func Run(t *testing.T, h Harness) {
	if h.Wrap == nil {
		h.Wrap = func(t *testing.T, body func(*testing.T)) { body(t) }
	}
	for _, group := range []map[string]func(*testing.T, *bench){publishing, pulling, classes, answering, disturbing} {
		for name, test := range group {
			t.Run(name, func(t *testing.T) {
				if h.Parallel {
					t.Parallel()
				}
				h.Wrap(t, func(t *testing.T) { test(t, &bench{t: t, h: h}) })
			})
		}
	}
}

// bench is the tools of one case.
type bench struct {
	t *testing.T
	h Harness
	Fixture
}

var class = queue.Class{Lane: queue.GradientLane, Numerics: "f1"}

// open opens the case's queue, with leases of 4 ticks and large limits. change can change
// the options.
func (b *bench) open(change ...func(*Options)) {
	o := Options{Lease: b.lease(), MaxDeliver: 100, Bytes: 16 << 20, Duplicates: time.Minute}
	for _, c := range change {
		c(&o)
	}
	b.Fixture = b.h.Open(b.t, o)
}

// lease returns the default length of a lease in a case.
func (b *bench) lease() time.Duration { return 4 * b.h.Tick }

func task(step int64, node tree.Node) job.Task {
	return job.Task{
		Ref: job.Ref{Job: "digits", Run: "r1"}, Plan: "p", Numerics: class.Numerics,
		Kind: job.Gradient, Step: step, Node: node,
	}
}

func (b *bench) publish(tasks ...job.Task) {
	b.t.Helper()
	require.NoError(b.t, b.Queue.Publish(b.t.Context(), tasks...))
}

func (b *bench) subscribe(c ...queue.Class) queue.Subscription {
	b.t.Helper()
	s, err := b.Queue.Subscribe(b.t.Context(), c...)
	require.NoError(b.t, err)
	b.t.Cleanup(s.Close)
	return s
}

// next returns the next delivery, and fails the case when none comes.
func (b *bench) next(s queue.Subscription) queue.Delivery {
	b.t.Helper()
	ctx, cancel := context.WithTimeout(b.t.Context(), 10*time.Second+100*b.h.Tick)
	defer cancel()
	d, err := s.Next(ctx)
	require.NoError(b.t, err)
	return d
}

// none checks that no delivery comes within some ticks.
func (b *bench) none(s queue.Subscription, ticks int) {
	b.t.Helper()
	if d := b.maybe(s, ticks); d != nil {
		require.Fail(b.t, "unexpected delivery", "%s, delivery %d", d.Task().Name(), d.Delivered())
	}
}

// maybe returns the next delivery if one comes within some ticks, else nil.
func (b *bench) maybe(s queue.Subscription, ticks int) queue.Delivery {
	b.t.Helper()
	ctx, cancel := context.WithTimeout(b.t.Context(), time.Duration(ticks)*b.h.Tick)
	defer cancel()
	d, err := s.Next(ctx)
	if err != nil {
		require.ErrorIs(b.t, err, context.DeadlineExceeded)
		return nil
	}
	return d
}

// prompt calls do, which must finish within a lease; do returns the earliest time at which
// the lease may have begun. If the machine stops for longer than that, the queue rightly
// delivers the task again. Then prompt waits until no more tasks come from s, and repeats
// do with tasks of the next step.
func (b *bench) prompt(s queue.Subscription, do func(step int64) (began time.Time)) {
	b.t.Helper()
	for step := range int64(20) {
		if began := do(step); time.Since(began) < b.lease()/2 {
			return
		}
		for d := b.maybe(s, 8); d != nil; d = b.maybe(s, 8) {
			b.ack(d)
		}
	}
	require.Fail(b.t, "the machine is too slow")
}

func (b *bench) ack(d queue.Delivery) {
	b.t.Helper()
	ctx, cancel := context.WithTimeout(b.t.Context(), 10*time.Second)
	defer cancel()
	require.NoError(b.t, d.Ack(ctx))
}

// exhausted returns the next task that the queue gave up, and fails the case when there is
// none.
func (b *bench) exhausted() Exhausted {
	b.t.Helper()
	select {
	case e := <-b.Exhausted:
		return e
	case <-time.After(10*time.Second + 100*b.h.Tick):
		require.Fail(b.t, "no exhausted task")
		return Exhausted{}
	}
}

// drain takes and acknowledges n tasks, and returns them.
func (b *bench) drain(s queue.Subscription, n int) []job.Task {
	b.t.Helper()
	var got []job.Task
	for range n {
		d := b.next(s)
		got = append(got, d.Task())
		b.ack(d)
	}
	return got
}
