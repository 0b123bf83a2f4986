package broker

import (
	"encoding/json"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"tributary/shared/job"
	"tributary/shared/notice"
)

func TestDeadLettersAreKeptOnceAndForgottenWithTheirJob(t *testing.T) {
	t.Parallel()
	_, c := open(t, SetupConfig{})
	letter := func(id job.ID, attempt int) notice.DeadLetter {
		task := job.Task{Ref: job.Ref{Job: id, Run: "r"}, Kind: job.Gradient, Step: 7, Node: 2, Attempt: attempt}
		return notice.DeadLetter{
			Ref: task.Ref, Time: time.Now().UTC(), Task: task, Name: task.Name(),
			Worker: "w", Error: "no block", Failed: map[string]int{"w": 3, "v": 1}, Lost: 2,
		}
	}
	for range 2 { // as two owners of the job do
		require.NoError(t, c.PutDead(t.Context(), letter("a", 1)))
	}
	require.NoError(t, c.PutDead(t.Context(), letter("a", 2)), "after a retry")
	require.NoError(t, c.PutDead(t.Context(), letter("b", 1)))
	stream, err := c.js.Stream(t.Context(), DeadStream)
	require.NoError(t, err)
	m, err := stream.GetLastMsgForSubject(t.Context(), "tributary.dead.a")
	require.NoError(t, err)
	var got notice.DeadLetter
	require.NoError(t, json.Unmarshal(m.Data, &got))
	want := letter("a", 2)
	want.Time = got.Time
	require.Equal(t, want, got)

	require.NoError(t, c.Forget(t.Context(), "a"))
	info, err := stream.Info(t.Context())
	require.NoError(t, err)
	require.EqualValues(t, 1, info.State.Msgs, "that of the other job")
	require.NoError(t, c.Forget(t.Context(), "a"), "again")
	require.Error(t, c.Forget(t.Context(), "*"), "not those of all jobs")
}

func TestWorkerReceivesThatItIsSetAside(t *testing.T) {
	t.Parallel()
	s, c := open(t, SetupConfig{})
	received := make(chan notice.Aside, 1)
	worker := s.connect(t)
	stop, err := worker.Notices().SubscribeAsides(func(a notice.Aside) { received <- a })
	require.NoError(t, err)
	defer stop()
	flush(t, worker)
	ref := job.Ref{Job: "a", Run: "r"}
	want := notice.Aside{Ref: ref, Worker: "w", Seconds: 2.5}
	require.NoError(t, c.Notices().PublishAside(want))
	require.Equal(t, want, receive(t, received))
	require.Equal(t, 2500*time.Millisecond, want.Cooldown())
	require.Error(t, c.Notices().PublishAside(notice.Aside{Worker: "w", Seconds: 1}), "of no job")
	for _, bad := range []notice.Aside{{Ref: ref, Seconds: 1}, {Ref: ref, Worker: "w"}, {Ref: ref, Worker: "w", Seconds: -1}, {Ref: ref, Worker: "w", Seconds: 61}} {
		require.ErrorIs(t, c.Notices().PublishAside(bad), job.ErrInvalid)
	}
}
