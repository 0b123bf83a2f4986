package queuetest

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"tributary/shared/job"
	"tributary/shared/queue"
)

// special is the class of jobs that only some workers serve, beside the base class.
var special = queue.Class{Lane: class.Lane, Numerics: class.Numerics, Job: "conv+memory-4gib"}

// specialTask is a task of that class.
func specialTask(step int64) job.Task {
	t := task(step, 2) // not the task of the base class
	t.Class = special.Job
	return t
}

var classes = map[string]func(*testing.T, *bench){
	"ASlotTakesTheClassesThatItServes": func(t *testing.T, b *bench) {
		b.open()
		base, both := b.subscribe(class), b.subscribe(class, special)
		b.publish(specialTask(1))
		b.none(base, 2)
		require.Equal(t, []job.Task{specialTask(1)}, b.drain(both, 1))
		b.publish(task(2, 1))
		require.Equal(t, []job.Task{task(2, 1)}, b.drain(both, 1))
		b.publish(task(3, 1))
		require.Equal(t, []job.Task{task(3, 1)}, b.drain(base, 1))
	},
	"NoClassWaitsBehindAnother": func(t *testing.T, b *bench) {
		b.open()
		for i := range int64(6) {
			b.publish(task(i, 1))
		}
		b.publish(specialTask(9))
		require.Contains(t, b.drain(b.subscribe(class, special), 3), specialTask(9))
	},
	"ASlotThatWaitsAtSeveralClassesTakesOneTask": func(t *testing.T, b *bench) {
		b.open(func(o *Options) { o.Lease = time.Minute })
		busy, free := b.subscribe(class, special), b.subscribe(class, special)
		for i := range int64(10) {
			b.none(busy, 1) // now it has waited at both classes
			got := make(chan queue.Delivery, 1)
			go func() {
				d, err := busy.Next(t.Context())
				if err == nil {
					got <- d
				}
				close(got)
			}()
			b.publish(task(i, 1), specialTask(i))
			held := <-got
			require.NotNil(t, held)
			other := b.next(free)
			require.ElementsMatch(t, []job.Task{task(i, 1), specialTask(i)}, []job.Task{held.Task(), other.Task()}, "at once, not after a lease")
			b.ack(held)
			b.ack(other)
		}
	},
	"WhoTakesAClassIsSeen": func(t *testing.T, b *bench) {
		b.open(func(o *Options) { o.Lease = time.Minute })
		b.publish(task(1, 1), specialTask(1))
		d := b.next(b.subscribe(special))
		taken, err := b.Queue.Taken(t.Context(), special)
		require.NoError(t, err)
		require.True(t, taken)
		taken, err = b.Queue.Taken(t.Context(), class)
		require.NoError(t, err)
		require.False(t, taken)
		b.ack(d)
	},
}
