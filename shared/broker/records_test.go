package broker

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"tributary/shared/job"
)

func record(id job.ID) job.Record {
	return job.Record{
		ID: id, Run: "r1", Name: string(id), State: job.Submitted, Created: time.Unix(1700000000, 0).UTC(),
		Spec: json.RawMessage(`{"name":"x"}`),
	}
}

func TestRecordsLife(t *testing.T) {
	_, c := open(t, SetupConfig{})
	ctx, r := t.Context(), c.Records()
	rec := record("digits")

	_, err := r.Get(ctx, "digits")
	require.ErrorIs(t, err, job.ErrNotFound)
	rev, err := r.Create(ctx, rec)
	require.NoError(t, err)
	_, err = r.Create(ctx, rec)
	require.ErrorIs(t, err, job.ErrConflict)

	got, err := r.Get(ctx, "digits")
	require.NoError(t, err)
	require.Equal(t, Entry{rec, rev}, got)

	rec.State = job.Running
	next, err := r.Update(ctx, rec, rev)
	require.NoError(t, err)
	require.Greater(t, next, rev)
	_, err = r.Update(ctx, rec, rev)
	require.ErrorIs(t, err, job.ErrConflict, "the revision is no longer the newest")

	require.ErrorIs(t, r.Delete(ctx, "digits", rev), job.ErrConflict, "it was changed since")
	require.NoError(t, r.Delete(ctx, "digits", next))
	require.NoError(t, r.Delete(ctx, "digits", next))
	_, err = r.Get(ctx, "digits")
	require.ErrorIs(t, err, job.ErrNotFound)
	_, err = r.Update(ctx, rec, next)
	require.ErrorIs(t, err, job.ErrConflict)
	_, err = r.Create(ctx, rec)
	require.NoError(t, err, "a removed id is free again")
}

func TestRecordsList(t *testing.T) {
	_, c := open(t, SetupConfig{})
	ctx, r := t.Context(), c.Records()
	all, err := r.List(ctx)
	require.NoError(t, err)
	require.Empty(t, all)
	for _, id := range []job.ID{"c", "a", "b", "gone"} {
		rev, err := r.Create(ctx, record(id))
		require.NoError(t, err)
		if id == "gone" {
			require.NoError(t, r.Delete(ctx, id, rev))
		}
	}
	kv, err := r.bucket.get(ctx)
	require.NoError(t, err)
	_, err = kv.Put(ctx, "junk", []byte("{"))
	require.NoError(t, err)
	all, err = r.List(ctx)
	require.NoError(t, err)
	var ids []job.ID
	for _, e := range all {
		ids = append(ids, e.Record.ID)
	}
	require.Equal(t, []job.ID{"a", "b", "c"}, ids)
	_, err = r.Get(ctx, "junk")
	require.ErrorIs(t, err, job.ErrCorrupt)
}

func TestRecordsBadInput(t *testing.T) {
	_, c := open(t, SetupConfig{})
	ctx, r := t.Context(), c.Records()
	for _, id := range []job.ID{"", "A", "a.b", "*", ">", job.ID(strings.Repeat("x", 100))} {
		_, err := r.Create(ctx, record(id))
		require.ErrorIs(t, err, job.ErrInvalid, "create %q", id)
		_, err = r.Get(ctx, id)
		require.ErrorIs(t, err, job.ErrNotFound, "get %q", id)
		require.NoError(t, r.Delete(ctx, id, 1))
	}
	big := record("big")
	big.Spec, _ = json.Marshal(strings.Repeat("x", 9<<20))
	_, err := r.Create(ctx, big)
	require.ErrorIs(t, err, job.ErrInvalid)
	require.ErrorContains(t, err, "max_payload")
}

func TestRecordsWithoutABucket(t *testing.T) {
	c := startServer(t, embeddedDefault).connect(t)
	_, err := c.Records().Get(t.Context(), "digits")
	require.ErrorIs(t, err, errMissing)
	require.NotErrorIs(t, err, job.ErrNotFound, "nobody knows whether there is such a job")
}

func TestWatchSeesEveryJobAndEveryNewestState(t *testing.T) {
	s, c := open(t, SetupConfig{})
	r := c.Records()
	_, err := r.Create(t.Context(), record("before"))
	require.NoError(t, err)

	ctx, cancel := context.WithCancel(t.Context())
	seen := make(chan string, 100)
	ended := make(chan error, 1)
	go func() {
		ended <- r.Watch(ctx, func(e Entry) { seen <- fmt.Sprintf("%s %s", e.Record.ID, e.Record.State) })
	}()
	require.Equal(t, "before submitted", receive(t, seen))

	rec := record("later")
	rev, err := r.Create(t.Context(), rec)
	require.NoError(t, err)
	require.Equal(t, "later submitted", receive(t, seen))
	rec.State = job.Running
	rev, err = r.Update(t.Context(), rec, rev)
	require.NoError(t, err)
	require.Equal(t, "later running", receive(t, seen))

	s.restart()
	rec.State = job.Failed
	require.Eventually(t, func() bool {
		_, err = r.Update(t.Context(), rec, rev)
		return err == nil
	}, patience, 10*time.Millisecond)
	require.Equal(t, "later failed", receive(t, seen), "also after the server's restart")

	last, err := r.Get(t.Context(), "later")
	require.NoError(t, err)
	require.NoError(t, r.Delete(t.Context(), "later", last.Revision))
	_, err = r.Create(t.Context(), record("later"))
	require.NoError(t, err)
	require.Equal(t, "later submitted", receive(t, seen), "a successor of a removed job")
	cancel()
	require.ErrorIs(t, receive(t, ended), context.Canceled)
	require.Empty(t, seen, "nothing is reported twice")
}
