package queuetest

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"tributary/shared/job"
	"tributary/shared/queue"
)

var disturbing = map[string]func(*testing.T, *bench){
	"TheQueueIsLost": func(t *testing.T, b *bench) {
		b.open()
		if b.Lose == nil {
			return
		}
		s := b.subscribe(class)
		b.publish(task(1, 2), task(1, 3), task(1, 4))
		held := b.next(s)
		b.Lose()
		b.publish(task(1, 5), task(1, 2)) // a lost task is no duplicate
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		if err := held.Ack(ctx); err != nil {
			require.ErrorIs(t, err, job.ErrNotFound, "either it counts for nothing or it says so")
		}
		require.Equal(t, []job.Task{task(1, 5), task(1, 2)}, b.drain(s, 2), "the subscription goes on by itself")
	},
	"TheQueueIsLostWhileASlotWaits": func(t *testing.T, b *bench) {
		b.open()
		if b.Lose == nil {
			return
		}
		s := b.subscribe(class)
		got := make(chan queue.Delivery, 1)
		go func() {
			d, err := s.Next(t.Context())
			if err == nil {
				got <- d
			}
			close(got)
		}()
		b.none(b.subscribe(class), 1)
		b.Lose()
		b.publish(task(1, 5))
		d := <-got
		require.NotNil(t, d)
		require.Equal(t, task(1, 5), d.Task())
		b.ack(d)
	},
	"TheServerRestarts": func(t *testing.T, b *bench) {
		b.open()
		if b.Restart == nil {
			return
		}
		s := b.subscribe(class)
		b.publish(task(1, 2), task(1, 3), task(1, 4))
		held := b.next(s)
		b.Restart()
		b.publish(task(1, 5))
		b.ack(held)
		got := map[string]bool{}
		for range 3 {
			d := b.next(s)
			got[d.Task().Name()] = true
			b.ack(d)
		}
		require.Equal(t, map[string]bool{
			task(1, 3).Name(): true, task(1, 4).Name(): true, task(1, 5).Name(): true,
		}, got)
	},
	"PublishWaitsForTheServer": func(t *testing.T, b *bench) {
		b.open()
		if b.Restart == nil {
			return
		}
		done := make(chan error, 1)
		go func() {
			for i := range 200 {
				if err := b.Queue.Publish(t.Context(), task(int64(i), 1)); err != nil {
					done <- err
					return
				}
			}
			done <- nil
		}()
		b.Restart()
		require.NoError(t, <-done)
		s := b.subscribe(class)
		seen := map[int64]bool{}
		for len(seen) < 200 {
			d := b.next(s)
			seen[d.Task().Step] = true
			b.ack(d)
		}
	},
	"WhatIsNoTaskIsRemoved": func(t *testing.T, b *bench) {
		b.open()
		if b.Inject == nil {
			return
		}
		s := b.subscribe(class)
		for _, data := range []string{"", "{", "null", `{"job":"a.b","kind":"gradient"}`, `{"job":"a","kind":"dance"}`, `{"job":"a","kind":"gradient","step":-1}`} {
			b.Inject(class, []byte(data))
		}
		b.publish(task(1, 2))
		require.Equal(t, []job.Task{task(1, 2)}, b.drain(s, 1))
		b.none(s, 6)
	},
}
