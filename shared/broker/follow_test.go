package broker

import (
	"context"
	"sync"
	"testing"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/micro"
	"github.com/stretchr/testify/require"

	"tributary/shared/job"
	"tributary/shared/notice"
)

// A reader that comes late sees the events of its job from the first on, in order, and then
// the new ones. Messages that are no events of the job are skipped.
func TestFollowEvents(t *testing.T) {
	_, c := open(t, SetupConfig{})
	e := c.Events()
	step := func(i int64) notice.Event { return notice.Event{Job: "digits", Type: notice.ProgressEvent, Step: i} }
	for i := range int64(20) {
		require.NoError(t, e.Publish(step(i)))
		require.NoError(t, e.Publish(notice.Event{Job: "other", Type: notice.ProgressEvent, Step: 99}))
	}
	ctx, stop := context.WithCancel(t.Context())
	seen := make(chan int64, 100)
	var following sync.WaitGroup
	following.Go(func() {
		require.NoError(t, c.FollowEvents(ctx, "digits", func(e notice.Event) {
			seen <- e.Step
			if e.Step == 5 {
				panic("of a handler")
			}
		}))
	})
	for i := range int64(20) {
		require.Equal(t, i, <-seen)
	}
	for _, garbage := range []string{"", "{", `{"job":"other","type":"progress","step":98}`, `{"job":"digits","type":"what","step":98}`} {
		require.NoError(t, c.nc.Publish(eventPrefix+"digits", []byte(garbage)))
	}
	require.NoError(t, e.Publish(step(20)))
	require.EqualValues(t, 20, <-seen)
	stop()
	following.Wait()
	require.NoError(t, e.Close(t.Context()))
	require.ErrorContains(t, c.FollowEvents(t.Context(), "a.>", nil), "follow the events of job")
}

func TestRequest(t *testing.T) {
	_, c := open(t, SetupConfig{})
	_, err := c.Request(t.Context(), "tributary.jobs.submit", []byte("x"))
	require.ErrorIs(t, err, job.ErrNotFound)
	require.ErrorContains(t, err, "no coordinator answers")
	sub, err := c.nc.Subscribe("tributary.jobs.submit", func(m *nats.Msg) {
		reply := nats.NewMsg(m.Reply)
		reply.Data = append([]byte("got "), m.Data...)
		if string(m.Data) == "bad" {
			reply.Header.Set(micro.ErrorHeader, "name: want a name")
		}
		_ = m.RespondMsg(reply)
	})
	require.NoError(t, err)
	defer func() { require.NoError(t, sub.Unsubscribe()) }()
	answer, err := c.Request(t.Context(), "tributary.jobs.submit", []byte("x"))
	require.NoError(t, err)
	require.Equal(t, "got x", string(answer))
	_, err = c.Request(t.Context(), "tributary.jobs.submit", []byte("bad"))
	require.EqualError(t, err, "name: want a name")
}
