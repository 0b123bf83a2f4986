package broker

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/cenkalti/backoff/v5"
)

// await repeats try with back-off until it succeeds, until it fails with an error that is
// not passing, or until ctx ends. Before its first pause, it reports the error once through
// waits.
func await[T any](ctx context.Context, try func() (T, error), passing func(error) bool, waits func(error)) (T, error) {
	var once sync.Once
	var last error
	v, err := backoff.Retry(ctx, func() (T, error) {
		v, err := try()
		if last = err; err != nil && !passing(err) {
			err = backoff.Permanent(err)
		}
		return v, err
	}, backoff.WithBackOff(newBackOff()), backoff.WithMaxElapsedTime(0), backoff.WithNotify(func(err error, _ time.Duration) {
		once.Do(func() { waits(err) })
	}))
	if err != nil && ctx.Err() != nil {
		return v, fmt.Errorf("%w: %w", context.Cause(ctx), last)
	}
	return v, err
}

// newBackOff returns the pauses between attempts: 100 ms to 3 s, with a random part.
func newBackOff() *backoff.ExponentialBackOff {
	b := backoff.NewExponentialBackOff()
	b.InitialInterval = 100 * time.Millisecond
	b.MaxInterval = reconnectMax
	return b
}

// pause waits for d, or until ctx ends. It fails when ctx has ended.
func pause(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
