package broker

import (
	"context"
	"encoding/json"
	"fmt"
	"testing"
	"time"

	"github.com/nats-io/nats.go/jetstream"
	"github.com/stretchr/testify/require"

	"tributary/shared/job"
	"tributary/shared/notice"
)

// history reads n events of a job from the stream.
func history(t *testing.T, c *Conn, id job.ID, n int) []notice.Event {
	t.Helper()
	consumer, err := c.js.OrderedConsumer(t.Context(), EventStream, jetstream.OrderedConsumerConfig{
		FilterSubjects: []string{eventPrefix + string(id)},
	})
	require.NoError(t, err)
	var all []notice.Event
	for range n {
		m, err := consumer.Next(jetstream.FetchMaxWait(patience))
		require.NoError(t, err)
		var e notice.Event
		require.NoError(t, json.Unmarshal(m.Data(), &e))
		all = append(all, e)
	}
	return all
}

func TestEventsAreKeptInOrder(t *testing.T) {
	_, c := open(t, SetupConfig{})
	e := c.Events()
	for i := range 50 {
		require.NoError(t, e.Publish(notice.Event{Job: "digits", Type: notice.ProgressEvent, Step: int64(i)}))
	}
	require.NoError(t, e.Publish(notice.Event{Job: "other", Type: notice.StateEvent, State: job.Running}))
	require.NoError(t, e.Close(t.Context()))
	for i, got := range history(t, c, "digits", 50) {
		require.EqualValues(t, i, got.Step)
		require.False(t, got.Time.IsZero())
	}
	require.Equal(t, job.Running, history(t, c, "other", 1)[0].State)
	require.Error(t, e.Publish(notice.Event{Job: "digits", Type: notice.StateEvent}), "it is closed")
}

func TestEventsUnderPressureDropOnlyTheOldestProgress(t *testing.T) {
	s, c := open(t, SetupConfig{})
	e := c.Events()
	s.Stop()
	const n = 2 * maxEvents
	for i := range n {
		typ := notice.ProgressEvent
		if i%16 == 0 {
			typ = notice.StateEvent
		}
		require.NoError(t, e.Publish(notice.Event{Job: "digits", Type: typ, Step: int64(i)}))
	}
	require.EqualValues(t, n-maxEvents, e.Dropped())
	s.Start()
	require.NoError(t, e.Close(t.Context()))
	var states, progress []int64
	for _, got := range history(t, c, "digits", maxEvents) {
		if got.Type == notice.StateEvent {
			states = append(states, got.Step)
		} else {
			progress = append(progress, got.Step)
		}
	}
	require.Len(t, states, n/16, "no change of state is dropped")
	require.Len(t, progress, maxEvents-n/16)
	require.EqualValues(t, n-1, progress[len(progress)-1])
	require.Greater(t, progress[0], int64(maxEvents-100), "the oldest are gone")
}

func TestEventsThatCannotBeSent(t *testing.T) {
	s, c := open(t, SetupConfig{})
	e := c.Events()
	require.ErrorIs(t, e.Publish(notice.Event{Job: "digits", Type: "party"}), job.ErrInvalid)
	require.Error(t, e.Publish(notice.Event{Job: "a.b", Type: notice.StateEvent}))
	s.Stop()
	for i := range 3 {
		require.NoError(t, e.Publish(notice.Event{Job: "digits", Type: notice.StateEvent, Message: fmt.Sprint(i)}))
	}
	ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer cancel()
	require.ErrorContains(t, e.Close(ctx), "3 were not sent")
}
