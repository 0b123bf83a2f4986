package broker

import (
	"context"
	"sync"
)

// lazy opens a bucket at its first use and keeps it. So a program can create the user of a
// bucket before the server or the bucket exists.
type lazy[T any] struct {
	open func(context.Context) (T, error)

	mu   sync.Mutex
	done bool
	v    T
}

// get returns the bucket. It opens the bucket if no earlier call has succeeded.
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
