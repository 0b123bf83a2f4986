package broker

import (
	"context"
	"sync"
)

// lazy opens a bucket at first use and remembers it, so that what needs one
// can be made before the server or the bucket is there.
type lazy[T any] struct {
	open func(context.Context) (T, error)

	mu   sync.Mutex
	done bool
	v    T
}

// get returns the bucket, opening it if that has not succeeded yet.
func (l *lazy[T]) get(ctx context.Context) (T, error) {
	l.mu.Lock()
	done, v := l.done, l.v
	l.mu.Unlock()
	if done {
		return v, nil
	}
	v, err := l.open(ctx)
	if err != nil {
		return v, classify(err)
	}
	l.mu.Lock()
	l.done, l.v = true, v
	l.mu.Unlock()
	return v, nil
}
