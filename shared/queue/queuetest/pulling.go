package queuetest

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"tributary/shared/queue"
	"tributary/shared/tree"
)

var pulling = map[string]func(*testing.T, *bench){
	"ABusySlotHoldsNothing": func(t *testing.T, b *bench) {
		b.open(func(o *Options) { o.Lease = time.Minute })
		busy, free := b.subscribe(class), b.subscribe(class)
		for i := range 8 {
			b.publish(task(int64(i), 1))
		}
		held := b.next(busy)
		require.EqualValues(t, 0, held.Task().Step)
		for i, got := range b.drain(free, 7) {
			require.EqualValues(t, i+1, got.Step, "the other slot gets all the rest, at once")
		}
		b.none(free, 1)
		b.ack(held)
		b.none(busy, 1)
	},
	"ASlotThatStoppedWaitingHoldsNothing": func(t *testing.T, b *bench) {
		b.open(func(o *Options) { o.Lease = time.Minute })
		gone, free := b.subscribe(class), b.subscribe(class)
		for i := range 10 {
			b.none(gone, 1)
			b.publish(task(int64(i), 1))
			d := b.next(free)
			require.EqualValues(t, i, d.Task().Step)
			b.ack(d)
		}
	},
	"TheSlotThatWaitsIsServed": func(t *testing.T, b *bench) {
		b.open()
		s := b.subscribe(class)
		got := make(chan queue.Delivery, 1)
		go func() {
			d, err := s.Next(t.Context())
			if err == nil {
				got <- d
			}
			close(got)
		}()
		b.none(b.subscribe(queue.Class{Lane: queue.BackgroundLane, Numerics: class.Numerics}), 1)
		b.publish(task(7, 1))
		d := <-got
		require.NotNil(t, d)
		require.EqualValues(t, 7, d.Task().Step)
		b.ack(d)
	},
	"WhoTakesTasksIsSeen": func(t *testing.T, b *bench) {
		b.open(func(o *Options) { o.Lease = time.Minute })
		taken := func(c queue.Class) bool {
			taken, err := b.Queue.Taken(t.Context(), c)
			require.NoError(t, err)
			return taken
		}
		require.False(t, taken(class))
		s := b.subscribe(class)
		require.False(t, taken(class), "nobody waits")
		b.publish(task(1, 1))
		require.False(t, taken(class), "a task alone is nobody")
		d := b.next(s)
		require.True(t, taken(class))
		require.False(t, taken(queue.Class{Lane: class.Lane, Numerics: "another"}))
		b.ack(d)
	},
	"EachPublicationGoesToOneSlot": func(t *testing.T, b *bench) {
		b.open(func(o *Options) { o.Lease = time.Minute })
		a, c := b.subscribe(class), b.subscribe(class)
		b.publish(task(1, 2))
		b.next(a)
		b.none(c, 3)
	},
	"CloseEndsNext": func(t *testing.T, b *bench) {
		b.open(func(o *Options) { o.Lease = time.Minute })
		s := b.subscribe(class)
		failed := make(chan error, 1)
		go func() {
			_, err := s.Next(t.Context())
			failed <- err
		}()
		b.none(b.subscribe(queue.Class{Lane: queue.BackgroundLane, Numerics: class.Numerics}), 1)
		s.Close()
		require.Error(t, <-failed)
		_, err := s.Next(t.Context())
		require.Error(t, err, "it stays closed")
		s.Close()

		b.publish(task(1, 1))
		b.ack(b.next(b.subscribe(class)))
	},
	"CancelWhileATaskArrives": func(t *testing.T, b *bench) {
		b.open(func(o *Options) { o.Lease = time.Minute })
		hasty, patient := b.subscribe(class), b.subscribe(class)
		for i := range 40 {
			ctx, cancel := context.WithCancel(t.Context())
			errs := make(chan error, 1)
			go func() { errs <- b.Queue.Publish(t.Context(), task(int64(i), tree.Root)) }()
			go cancel()
			d, err := hasty.Next(ctx)
			require.NoError(t, <-errs)
			if err != nil {
				require.ErrorIs(t, err, context.Canceled)
				d = b.next(patient)
			}
			require.EqualValues(t, i, d.Task().Step, "it is with the one or the other, never lost for a lease")
			b.ack(d)
		}
	},
}
