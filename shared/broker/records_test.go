package broker

import (
	"context"
	"encoding/json"
	"fmt"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats.go/jetstream"
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

// list collects the ids of all records, and the errors of the listing.
func list(t *testing.T, r *Records) (ids []job.ID, errs []error) {
	t.Helper()
	for e, err := range r.All(t.Context()) {
		if err != nil {
			errs = append(errs, err)
			continue
		}
		ids = append(ids, e.Record.ID)
	}
	return ids, errs
}

func TestRecordsAll(t *testing.T) {
	_, c := open(t, SetupConfig{})
	ctx, r := t.Context(), c.Records()
	ids, errs := list(t, r)
	require.Empty(t, ids)
	require.Empty(t, errs)
	kv, err := r.bucket.get(ctx)
	require.NoError(t, err)
	for _, id := range []job.ID{"c", "junk", "a", "gone", "b"} {
		if id == "junk" {
			_, err := kv.Put(ctx, "junk", []byte("{"))
			require.NoError(t, err)
			continue
		}
		rev, err := r.Create(ctx, record(id))
		require.NoError(t, err)
		if id == "gone" {
			require.NoError(t, r.Delete(ctx, id, rev))
		}
	}
	ids, errs = list(t, r)
	require.Equal(t, []job.ID{"c", "a", "b"}, ids)
	require.Len(t, errs, 1)
	require.ErrorIs(t, errs[0], job.ErrCorrupt)
	_, err = r.Get(ctx, "junk")
	require.ErrorIs(t, err, job.ErrCorrupt)
}

func TestWhoStopsReadingTheRecordsLeavesNothingRunning(t *testing.T) {
	_, c := open(t, SetupConfig{})
	r := c.Records()
	for i := range 600 { // more than the channel of the client library holds
		_, err := r.Create(t.Context(), record(job.ID(fmt.Sprintf("j%03d", i))))
		require.NoError(t, err)
	}
	before := runtime.NumGoroutine()
	for range 20 {
		for range r.All(t.Context()) {
			break
		}
	}
	require.Eventually(t, func() bool { return runtime.NumGoroutine() <= before+2 }, patience, 10*time.Millisecond)
}

// fill creates n records of ended jobs, as after a busy month.
func fill(t *testing.T, c *Conn, n int) {
	t.Helper()
	for i := range n {
		ended := record(job.ID(fmt.Sprintf("old-%05d", i)))
		ended.State, ended.Released = job.Succeeded, true
		data, err := json.Marshal(ended)
		require.NoError(t, err)
		_, err = c.js.PublishAsync("$KV."+JobBucket+"."+string(ended.ID), data, jetstream.WithStallWait(patience))
		require.NoError(t, err)
	}
	select {
	case <-c.js.PublishAsyncComplete():
	case <-time.After(patience):
		require.Fail(t, "the records were not stored")
	}
}

func TestAnyNumberOfRecordsIsWatchedAndListed(t *testing.T) {
	const many = 12_000
	_, c := open(t, SetupConfig{})
	fill(t, c, many)
	ctx, cancel := context.WithCancel(t.Context())
	old, fresh := make(chan job.ID, many+10), make(chan string, 10)
	ended := make(chan error, 1)
	go func() {
		ended <- c.Records().Watch(ctx, func(e Entry) {
			if e.Record.State.Final() {
				old <- e.Record.ID
			} else {
				fresh <- string(e.Record.ID)
			}
		})
	}()
	for i := range many {
		require.Equal(t, job.ID(fmt.Sprintf("old-%05d", i)), receive(t, old))
	}
	_, err := c.Records().Create(t.Context(), record("new"))
	require.NoError(t, err)
	require.Equal(t, "new", receive(t, fresh))
	ids, errs := list(t, c.Records())
	require.Empty(t, errs)
	require.Len(t, ids, many+1)
	cancel()
	require.ErrorIs(t, receive(t, ended), context.Canceled)
	require.Empty(t, old, "nothing is reported twice")
}

func TestAWatchThatBeginsAnewReadsWhatHasChangedOnly(t *testing.T) {
	_, c := open(t, SetupConfig{})
	fill(t, c, 100)
	seen := make(chan job.ID, 200)
	w := &watcher{r: c.Records(), handle: func(e Entry) { seen <- e.Record.ID }}
	begin := func() (first jetstream.KeyValueEntry) {
		updates, stop, err := w.begin(t.Context())
		require.NoError(t, err)
		defer stop()
		for e := range updates {
			if e == nil {
				break
			}
			if first == nil {
				first = e
			}
			w.see(e)
		}
		return first
	}
	require.Equal(t, "old-00000", begin().Key())
	require.Len(t, seen, 100)
	require.Nil(t, begin(), "the server sends nothing again")
	_, err := c.Records().Create(t.Context(), record("new"))
	require.NoError(t, err)
	require.Equal(t, "new", begin().Key())
	require.Len(t, seen, 101)

	require.NoError(t, c.js.DeleteKeyValue(t.Context(), JobBucket))
	require.NoError(t, c.Setup(t.Context(), SetupConfig{}))
	_, err = c.Records().Create(t.Context(), record("after-the-loss"))
	require.NoError(t, err)
	require.Equal(t, "after-the-loss", begin().Key(), "a bucket that was lost counts from 1 again")
}

// padded returns a record of about size bytes.
func padded(id job.ID, size int) job.Record {
	r := record(id)
	r.Spec, _ = json.Marshal(strings.Repeat("x", size))
	return r
}

func TestAFullBucketRefusesNewJobsAndLetsTheOthersGoOn(t *testing.T) {
	_, c := open(t, SetupConfig{JobBytes: 4 << 20})
	ctx, r := t.Context(), c.Records()
	revisions := map[job.ID]uint64{}
	var full error
	for i := 0; full == nil && i < 100; i++ {
		id := job.ID(fmt.Sprintf("j%02d", i))
		if revisions[id], full = r.Create(ctx, padded(id, 200<<10)); full != nil {
			delete(revisions, id)
		}
	}
	require.ErrorIs(t, full, job.ErrFull)
	require.Equal(t, 503, codeOf(full))
	require.ErrorContains(t, full, fmt.Sprintf("the records of %d jobs take", len(revisions)))
	require.ErrorContains(t, full, "remove jobs that have ended")
	require.Greater(t, len(revisions), 10)
	_, err := r.Create(ctx, padded("j00", 200<<10))
	require.ErrorIs(t, err, job.ErrConflict, "it is known that this one is there")

	for range 20 { // together, the old values would have filled the bucket
		for id := range revisions {
			rec := padded(id, 200<<10)
			rec.State, rec.Error = job.Running, strings.Repeat("e", 1<<10)
			revisions[id], err = r.Update(ctx, rec, revisions[id])
			require.NoError(t, err, "a job that is recorded goes on")
		}
	}
	for _, id := range []job.ID{"j00", "j01"} {
		require.NoError(t, r.Delete(ctx, id, revisions[id]))
	}
	_, err = r.Create(ctx, padded("new", 200<<10))
	require.NoError(t, err, "there is room again")
}

func TestABucketThatIsFullToTheLastByteLetsJobsBeRemoved(t *testing.T) {
	_, c := open(t, SetupConfig{JobBytes: 1 << 20})
	ctx, r := t.Context(), c.Records()
	revision, err := r.Create(ctx, padded("j", 200<<10))
	require.NoError(t, err)
	kv, err := r.bucket.get(ctx)
	require.NoError(t, err)
	for size := 256 << 10; size > 0; { // into the eighth that Create leaves free
		if _, err := kv.Create(ctx, fmt.Sprintf("k%d-%d", size, revision), make([]byte, size)); err != nil {
			size /= 2
		}
		revision++
	}
	e, err := r.Get(ctx, "j")
	require.NoError(t, err)
	require.NoError(t, r.Delete(ctx, "j", e.Revision))
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

	s.Restart()
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
