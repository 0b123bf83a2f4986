package queuetest

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"tributary/shared/job"
	"tributary/shared/queue"
	"tributary/shared/tree"
)

var publishing = map[string]func(*testing.T, *bench){
	"TasksArriveWholeAndInOrder": func(t *testing.T, b *bench) {
		b.open()
		var want []job.Task
		for i := range 30 {
			want = append(want, task(int64(i/4), tree.Node(4+i%4)))
		}
		want[7].Attempt = 3
		b.publish(want[:10]...)
		b.publish(want[10:]...)
		require.Equal(t, want, b.drain(b.subscribe(class), len(want)))
	},
	"PublishNothing": func(t *testing.T, b *bench) {
		b.open()
		b.publish()
		b.none(b.subscribe(class), 1)
	},
	"ClassesAreApart": func(t *testing.T, b *bench) {
		b.open()
		gradient := task(1, 1)
		elsewhere := task(2, 1)
		elsewhere.Numerics = "f2/with.odd*signs> é"
		evaluate := gradient
		evaluate.Kind, evaluate.Split, evaluate.Block = job.Evaluate, job.Validation, 3
		snapshot := gradient
		snapshot.Kind = job.Snapshot
		save := gradient
		save.Kind = job.Save
		b.publish(evaluate, elsewhere, snapshot, save, gradient)

		require.Equal(t, []job.Task{gradient}, b.drain(b.subscribe(class), 1))
		background := b.subscribe(queue.Class{Lane: queue.BackgroundLane, Numerics: class.Numerics})
		require.Equal(t, []job.Task{evaluate, snapshot, save}, b.drain(background, 3))
		other := b.subscribe(queue.Class{Lane: queue.GradientLane, Numerics: elsewhere.Numerics})
		require.Equal(t, []job.Task{elsewhere}, b.drain(other, 1))
		b.none(b.subscribe(queue.Class{Lane: queue.GradientLane, Numerics: "f3"}), 1)
	},
	"ADuplicateIsDropped": func(t *testing.T, b *bench) {
		b.open()
		s := b.subscribe(class)
		b.publish(task(1, 2), task(1, 2), task(1, 3))
		b.publish(task(1, 2))
		require.Len(t, b.drain(s, 2), 2)
		b.publish(task(1, 3)) // acknowledged already, and still within the window
		b.none(s, 2)
	},
	"ABackupIsNoDuplicate": func(t *testing.T, b *bench) {
		b.open()
		s := b.subscribe(class)
		backup := task(1, 2)
		backup.Attempt = 1
		b.publish(task(1, 2))
		b.publish(backup)
		require.Equal(t, []job.Task{task(1, 2), backup}, b.drain(s, 2))
	},
	"AnotherRunIsNoDuplicate": func(t *testing.T, b *bench) {
		b.open()
		again := task(1, 2)
		again.Run = "r2"
		b.publish(task(1, 2), again)
		require.Equal(t, []job.Task{task(1, 2), again}, b.drain(b.subscribe(class), 2))
	},
	"TheWindowOfDuplicatesEnds": func(t *testing.T, b *bench) {
		b.open(func(o *Options) { o.Duplicates = 2 * b.h.Tick })
		s := b.subscribe(class)
		b.publish(task(1, 2))
		b.drain(s, 1)
		b.none(s, 8)
		for range 50 { // the queue's timer may be late
			b.publish(task(1, 2))
			if d := b.maybe(s, 2); d != nil {
				b.ack(d)
				return
			}
		}
		require.Fail(t, "it never ends")
	},
	"FullRefusesAndRecovers": func(t *testing.T, b *bench) {
		b.open(func(o *Options) { o.Bytes = 32 << 10 })
		s := b.subscribe(class)
		var batch []job.Task
		for i := range 1000 {
			batch = append(batch, task(int64(i), 1))
		}
		err := b.Queue.Publish(t.Context(), batch...)
		require.ErrorIs(t, err, job.ErrFull)
		require.ErrorContains(t, err, "publish task digits.r1/", "the error names the first task that was refused")

		first := b.next(s)
		require.Equal(t, batch[0], first.Task(), "the tasks before it were added")
		require.ErrorIs(t, b.Queue.Publish(t.Context(), batch[999]), job.ErrFull, "a leased task takes room")
		b.ack(first)
		b.publish(batch[999])
	},
	"ACancelledContext": func(t *testing.T, b *bench) {
		b.open()
		ctx, cancel := context.WithCancelCause(t.Context())
		cancel(errors.New("stopping"))
		require.ErrorIs(t, b.Queue.Publish(ctx, task(1, 1)), context.Canceled)
		_, err := b.Queue.Subscribe(ctx, class)
		require.ErrorIs(t, err, context.Canceled)
		s := b.subscribe(class)
		_, err = s.Next(ctx)
		require.ErrorIs(t, err, context.Canceled)
	},
	"ManyAtOnce": func(t *testing.T, b *bench) {
		b.open(func(o *Options) { o.Lease = time.Minute })
		const slots, each = 6, 40
		for i := range slots * each {
			b.publish(task(int64(i), 1))
		}
		got := make(chan job.Task, slots*each)
		errs := make(chan error, slots)
		for range slots {
			s := b.subscribe(class)
			go func() { errs <- work(t.Context(), s, each, got) }()
		}
		for range slots {
			require.NoError(t, <-errs)
		}
		seen := map[string]bool{}
		for range slots * each {
			seen[(<-got).Name()] = true
		}
		require.Len(t, seen, slots*each, "every task once")
	},
}

func work(ctx context.Context, s queue.Subscription, n int, got chan<- job.Task) error {
	for range n {
		d, err := s.Next(ctx)
		if err != nil {
			return err
		}
		if err := d.Ack(ctx); err != nil {
			return err
		}
		got <- d.Task()
	}
	return nil
}
