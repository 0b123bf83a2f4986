package broker

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"time"
)

// listIdle is the timeout for the next value of a listing.
const listIdle = 15 * time.Second

// initial yields what a watch of the client library reports first: the existing values. The
// library marks their end with a nil value.
func initial[T any](ctx context.Context, updates <-chan T, isEnd func(T) bool) iter.Seq2[T, error] {
	return func(yield func(T, error) bool) {
		var none T
		idle := time.NewTimer(listIdle)
		defer idle.Stop()
		for {
			idle.Reset(listIdle)
			select {
			case v, ok := <-updates:
				switch {
				case !ok:
					yield(none, errors.Join(errors.New("the watch ended early"), ctx.Err()))
					return
				case isEnd(v) || !yield(v, nil):
					return
				}
			case <-idle.C:
				yield(none, fmt.Errorf("no answer for %s: %w", listIdle, context.DeadlineExceeded))
				return
			case <-ctx.Done():
				yield(none, ctx.Err())
				return
			}
		}
	}
}

// watching is a watch of the client library.
type watching[T any] interface {
	Updates() <-chan T
	Stop() error
}

// abandon ends a watch. A goroutine of the client library may be blocked on the next
// update, so abandon reads updates until the library closes the channel.
func abandon[T any](c *Conn, w watching[T]) {
	if c.Connected() { // without a connection, Stop would wait seconds for the server
		_ = w.Stop()
	}
	go func() {
		for range w.Updates() {
		}
	}()
}
