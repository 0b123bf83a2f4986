package lifecycle

import (
	"errors"
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"

	"tributary/shared/job"
)

func explode([]int) error { panic("index out of range") }

func TestContainTurnsAPanicIntoAnError(t *testing.T) {
	err := Contain("handle a notice", func() error { return explode(nil) })
	require.EqualError(t, err, "handle a notice: panic: index out of range")
	require.ErrorIs(t, err, job.ErrPoison)
	p, ok := errors.AsType[*PanicError](fmt.Errorf("worker: %w", err))
	require.True(t, ok)
	require.Equal(t, "handle a notice", p.What)
	require.Equal(t, "index out of range", p.Value)
	require.Contains(t, string(p.Stack), "lifecycle.explode", "the trace shows where it happened")
}

func TestContainOfAPanicWithNil(t *testing.T) {
	err := Contain("handle a notice", func() error { panic(nil) })
	require.ErrorIs(t, err, job.ErrPoison)
}

func TestContainReturnsWhatTheFunctionReturns(t *testing.T) {
	require.NoError(t, Contain("nothing", func() error { return nil }))
	failure := errors.New("no route")
	require.Equal(t, failure, Contain("read", func() error { return failure }))
}

// Several callers can wait for started work, more than once, and its panic is an error.
func TestStart(t *testing.T) {
	gate := make(chan struct{})
	r := Start("append", func() error {
		<-gate
		return explode(nil)
	})
	close(gate)
	for range 2 {
		err := r.Wait()
		require.EqualError(t, err, "append: panic: index out of range")
		require.ErrorIs(t, err, job.ErrPoison)
	}
	require.NoError(t, Start("append", func() error { return nil }).Wait())
}
