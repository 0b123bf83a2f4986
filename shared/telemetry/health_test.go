package telemetry

import (
	"context"
	"errors"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
)

// A check that hangs, for example on a dead network file system, delays the answer only
// by a bounded time. Probes do not pile up behind it.
func TestACheckThatHangsIsNamedInTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		release := make(chan struct{})
		var asks atomic.Int64
		checks := []*asked{
			{Check: Check{Name: "blobs", Ask: func(context.Context) error {
				asks.Add(1)
				<-release
				return nil
			}}},
			{Check: Check{Name: "nats", Ask: func(context.Context) error { return nil }}},
		}
		for range 5 {
			began := time.Now()
			r := ask(t.Context(), checks)
			require.False(t, r.Ready)
			require.Equal(t, "no answer within 2s", r.Checks["blobs"])
			require.Equal(t, "ok", r.Checks["nats"])
			require.Equal(t, checkTimeout, time.Since(began))
		}
		require.EqualValues(t, 1, asks.Load())
		close(release)
		synctest.Wait()
		require.True(t, ask(t.Context(), checks).Ready)
	})
}

// An expensive check does not run at every probe. Its failures are kept for a shorter
// time, so that a recovery shows.
func TestAnswersAreKept(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var asks int
		var fault error
		checks := []*asked{{Check: Check{Name: "blobs", Keep: 5 * time.Second, Ask: func(context.Context) error {
			asks++
			return fault
		}}}}
		probe := func(ready bool, times int) {
			t.Helper()
			require.Equal(t, ready, ask(t.Context(), checks).Ready)
			require.Equal(t, times, asks)
		}
		probe(true, 1)
		fault = errors.New("the disk is full")
		probe(true, 1)
		<-time.After(5 * time.Second)
		probe(false, 2)
		probe(false, 2)
		fault = nil
		<-time.After(faultKept)
		probe(true, 3)
	})
}

// A prober that gives up first does not end the check for the others.
func TestAnAnswerOutlivesItsProber(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := &asked{Check: Check{Name: "redis", Keep: time.Minute, Ask: func(ctx context.Context) error {
			select {
			case <-time.After(time.Second):
				return nil
			case <-ctx.Done():
				return ctx.Err()
			}
		}}}
		gone, cancel := context.WithCancel(t.Context())
		cancel()
		require.Error(t, a.answer(gone))
		require.NoError(t, a.answer(t.Context()))
	})
}
