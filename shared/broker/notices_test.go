package broker

import (
	"testing"

	"github.com/stretchr/testify/require"

	"tributary/shared/job"
	"tributary/shared/notice"
)

var ref = job.Ref{Job: "digits", Run: "r1"}

// both subscribes to one job and to all jobs, and sends what arrives to two channels.
func both[T any](t *testing.T, subscribe func(job.ID, func(T)) (func(), error)) (one, all chan T) {
	t.Helper()
	one, all = make(chan T, 10), make(chan T, 10)
	for id, to := range map[job.ID]chan T{"digits": one, "": all} {
		stop, err := subscribe(id, func(v T) { to <- v })
		require.NoError(t, err)
		t.Cleanup(stop)
	}
	return one, all
}

func TestNoticesArrive(t *testing.T) {
	_, c := open(t, SetupConfig{})
	n := c.Notices()

	one, all := both(t, n.SubscribeCommits)
	other := notice.Commit{Ref: job.Ref{Job: "other"}, Step: 1, Committed: 2}
	commit := notice.Commit{Ref: ref, Step: 4, Committed: 5, Worker: "w"}
	flush(t, c)
	require.NoError(t, n.PublishCommit(other))
	require.NoError(t, n.PublishCommit(commit))
	require.Equal(t, commit, receive(t, one))
	require.Equal(t, other, receive(t, all))
	require.Equal(t, commit, receive(t, all))

	evaluated, _ := both(t, n.SubscribeEvaluated)
	snapshotted, _ := both(t, n.SubscribeSnapshotted)
	checkpointed, _ := both(t, n.SubscribeCheckpointed)
	failed, _ := both(t, n.SubscribeFailures)
	recalled, _ := both(t, n.SubscribeRecalls)
	beats, calls := make(chan notice.Beat, 1), make(chan bool, 1)
	stopBeats, err := n.SubscribeBeats(func(b notice.Beat) { beats <- b })
	require.NoError(t, err)
	defer stopBeats()
	stopCalls, err := n.SubscribeCalls(func() { calls <- true })
	require.NoError(t, err)
	defer stopCalls()
	flush(t, c)

	e := notice.Evaluated{Ref: ref, Step: 9, Stored: 2}
	require.NoError(t, n.PublishEvaluated(e))
	require.Equal(t, e, receive(t, evaluated))
	s := notice.Snapshotted{Ref: ref, Step: 9}
	require.NoError(t, n.PublishSnapshotted(s))
	require.Equal(t, s, receive(t, snapshotted))
	r := notice.Recall{Ref: ref, Before: 9}
	require.NoError(t, n.PublishRecall(r))
	require.Equal(t, r, receive(t, recalled))
	saved := notice.Checkpointed{Ref: ref, Step: 9, Digest: "d"}
	require.NoError(t, n.PublishCheckpointed(saved))
	require.Equal(t, saved, receive(t, checkpointed))
	f := notice.Failure{Ref: ref, Task: job.Task{Ref: ref, Kind: job.Gradient, Step: 3, Node: 2}, Worker: "w", Error: "NaN", Poison: true}
	require.NoError(t, n.PublishFailure(f))
	require.Equal(t, f, receive(t, failed))
	b := notice.Beat{Worker: "w", Slots: 2, Busy: 1, Numerics: "f1", Version: "1.0.0", Leaving: true}
	require.NoError(t, n.PublishBeat(b))
	require.Equal(t, b, receive(t, beats))
	require.NoError(t, n.Call())
	require.True(t, receive(t, calls))
}

func TestBadNoticesAreDropped(t *testing.T) {
	_, c := open(t, SetupConfig{})
	n := c.Notices()
	_, all := both(t, n.SubscribeCommits)
	flush(t, c)
	for _, data := range []string{"", "{", "[]", "null", `{"job":"other","step":1,"committed":2}`, `{"job":"digits","step":-1}`, `{"job":"digits","step":"x"}`} {
		require.NoError(t, c.nc.Publish("tributary.commit.digits", []byte(data)))
	}
	require.NoError(t, c.nc.Publish("tributary.commit.digits", make([]byte, notice.MaxBytes+1)))
	good := notice.Commit{Ref: ref, Step: 4, Committed: 5}
	require.NoError(t, n.PublishCommit(good))
	require.Equal(t, good, receive(t, all))
}

func TestNoticesAreChecked(t *testing.T) {
	_, c := open(t, SetupConfig{})
	n := c.Notices()
	require.Error(t, n.PublishCommit(notice.Commit{Ref: job.Ref{Job: "a.b"}, Committed: 1}))
	require.ErrorIs(t, n.PublishBeat(notice.Beat{}), job.ErrInvalid)
	_, err := n.SubscribeFailures("*", func(notice.Failure) {})
	require.ErrorContains(t, err, "want 1 to 64")
}

func FuzzDecodeNotice(f *testing.F) {
	f.Add("tributary.commit.digits", []byte(`{"job":"digits","run":"r1","step":4,"committed":5}`))
	f.Fuzz(func(t *testing.T, subject string, data []byte) {
		v, err := decodeNotice[notice.Commit](subject, data)
		if err == nil {
			require.NoError(t, v.Validate())
		}
		if b, err := decodeNotice[notice.Beat](subject, data); err == nil {
			require.NoError(t, b.Validate())
		}
	})
}
