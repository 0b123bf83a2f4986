package queuetest

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"tributary/shared/queue"
	"tributary/shared/tree"
)

var answering = map[string]func(*testing.T, *bench){
	"ALeaseThatRunsOut": func(t *testing.T, b *bench) {
		b.open()
		s := b.subscribe(class)
		b.prompt(s, func(step int64) time.Time {
			b.publish(task(step, 2))
			began := time.Now()
			first := b.next(s)
			require.Equal(t, 1, first.Delivered())
			require.Equal(t, b.lease(), first.Lease())
			second := b.next(b.subscribe(class))
			ran := time.Since(began)
			require.GreaterOrEqual(t, ran, b.lease()-b.h.Tick, "a tick less, for a server that goes by the clock on the wall")
			require.Equal(t, first.Task(), second.Task())
			require.Equal(t, 2, second.Delivered())
			b.ack(second)
			return began.Add(ran)
		})
		b.none(s, 8)
	},
	"ALateAckCounts": func(t *testing.T, b *bench) {
		b.open()
		s := b.subscribe(class)
		var second queue.Delivery
		b.prompt(s, func(step int64) time.Time {
			b.publish(task(step, 2))
			first := b.next(s)
			second = b.next(s)
			began := time.Now()
			require.Equal(t, 2, second.Delivered())
			b.ack(first)
			return began
		})
		b.none(s, 8)
		b.ack(second)
	},
	"InProgressRenewsTheLease": func(t *testing.T, b *bench) {
		b.open()
		s, other := b.subscribe(class), b.subscribe(class)
		b.prompt(other, func(step int64) time.Time {
			b.publish(task(step, 2))
			renewed := time.Now()
			d := b.next(s)
			if d.Task().Step != step { // from an earlier attempt of the case
				return renewed.Add(-b.lease())
			}
			for range 5 {
				again, renewing := b.maybe(other, 2), time.Now()
				require.NoError(t, d.InProgress())
				if time.Since(renewed) >= b.lease()-b.h.Tick || again != nil && again.Task().Step != step { // too late
					return renewed.Add(-b.lease())
				}
				require.Nil(t, again, "the lease was renewed")
				renewed = renewing
			}
			b.ack(d)
			return renewed
		})
		b.none(other, 6)
	},
	"NakHandsBackAtOnce": func(t *testing.T, b *bench) {
		b.open(func(o *Options) { o.Lease = time.Minute })
		s := b.subscribe(class)
		b.publish(task(1, 2), task(1, 3))
		require.NoError(t, b.next(s).Nak(0))
		got := map[string]int{}
		for range 2 {
			d := b.next(s)
			got[d.Task().Name()] = d.Delivered()
			b.ack(d)
		}
		require.Equal(t, map[string]int{task(1, 2).Name(): 2, task(1, 3).Name(): 1}, got)
	},
	"NakWaitsForTheDelay": func(t *testing.T, b *bench) {
		b.open(func(o *Options) { o.Lease = time.Minute })
		s := b.subscribe(class)
		b.publish(task(1, 2))
		d := b.next(s)
		began := time.Now()
		require.NoError(t, d.Nak(6*b.h.Tick))
		d = b.next(s)
		require.GreaterOrEqual(t, time.Since(began), 5*b.h.Tick)
		require.Equal(t, 2, d.Delivered())
		b.ack(d)
	},
	"TermRemoves": func(t *testing.T, b *bench) {
		b.open()
		s := b.subscribe(class)
		b.prompt(s, func(step int64) time.Time {
			b.publish(task(step, 2))
			began := time.Now()
			require.NoError(t, b.next(s).Term("it can never\nsucceed"))
			return began
		})
		b.none(s, 8)
	},
	"AnswersMayBeRepeated": func(t *testing.T, b *bench) {
		b.open()
		s := b.subscribe(class)
		b.prompt(s, func(step int64) time.Time {
			b.publish(task(step, 2))
			began := time.Now()
			d := b.next(s)
			b.ack(d)
			b.ack(d)
			require.NoError(t, d.InProgress())
			require.NoError(t, d.Nak(0))
			require.NoError(t, d.Term(""))
			return began
		})
		b.none(s, 6)
	},
	"AckWithACancelledContext": func(t *testing.T, b *bench) {
		b.open(func(o *Options) { o.Lease = time.Minute })
		b.publish(task(1, 2))
		d := b.next(b.subscribe(class))
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		require.ErrorIs(t, d.Ack(ctx), context.Canceled)
		b.ack(d)
	},
	"ATaskThatIsDeliveredTooOften": func(t *testing.T, b *bench) {
		b.open(func(o *Options) { o.MaxDeliver = 3 })
		if b.Exhausted == nil {
			return
		}
		s := b.subscribe(class)
		b.publish(task(1, 2), task(1, 3))
		count := map[tree.Node]int{}
		for range 6 { // one message comes back when its lease ends, one after a Nak
			d := b.next(s)
			count[d.Task().Node]++
			require.Equal(t, count[d.Task().Node], d.Delivered())
			if d.Task().Node == 3 {
				require.NoError(t, d.Nak(b.h.Tick))
			}
		}
		b.none(s, 12)
		got := map[string]int{}
		for range 2 {
			for waited := 0; len(b.Exhausted) == 0 && waited < 20; waited++ {
				b.none(s, 6) // an adapter may notice it only while a consumer waits for tasks
			}
			e := b.exhausted()
			got[e.Task.Name()] = e.Deliveries
		}
		require.Equal(t, map[string]int{task(1, 2).Name(): 3, task(1, 3).Name(): 3}, got)

		again := task(1, 2)
		again.Attempt = 1
		b.publish(again)
		require.Equal(t, 1, b.next(s).Delivered(), "a new attempt begins anew")
	},
}
