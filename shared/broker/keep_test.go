package broker

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"iter"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats.go/jetstream"
	"github.com/rs/zerolog"
	"github.com/stretchr/testify/require"

	"tributary/shared/broker/embedded"
	"tributary/shared/job"
	"tributary/shared/notice"
	"tributary/shared/queue"
)

// count returns the number of lines that contain text.
func (l *lines) count(text string) (n int) {
	for line := range strings.Lines(l.String()) {
		if strings.Contains(line, text) {
			n++
		}
	}
	return n
}

// logged connects with a log that the test can read.
func (s *server) logged(t *testing.T) (*Conn, *lines) {
	t.Helper()
	l := newLines()
	c, err := Connect(t.Context(), Config{Name: t.Name(), InProcess: s}, zerolog.New(l))
	require.NoError(t, err)
	t.Cleanup(c.Close)
	return c, l
}

// keeping runs Keep until the test ends.
func keeping(t *testing.T, c *Conn, cfg SetupConfig) {
	t.Helper()
	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan struct{})
	go func() { defer close(ended); c.Keep(ctx, cfg) }()
	t.Cleanup(func() { stop(); <-ended })
}

// soon repeats try until it succeeds.
func soon(t *testing.T, what string, try func() error) {
	t.Helper()
	deadline := time.After(patience)
	for err := try(); err != nil; err = try() {
		select {
		case <-deadline:
			require.NoError(t, err, what)
		case <-time.After(10 * time.Millisecond):
		}
	}
}

func TestWhatWasLostIsMadeAgain(t *testing.T) {
	t.Parallel()
	s, _ := open(t, SetupConfig{})
	c, log := s.logged(t)
	keeping(t, c, SetupConfig{})
	ctx := t.Context()
	for _, p := range c.resources(SetupConfig{}.withDefaults()) {
		before, err := c.js.Stream(ctx, p.stream)
		require.NoError(t, err)
		require.NoError(t, c.js.DeleteStream(ctx, p.stream))
		soon(t, "the log", func() error {
			if n := log.count("NATS had lost the " + p.what); n != 1 {
				return fmt.Errorf("the log has %d lines about the loss of the %s, want 1:\n%s", n, p.what, log)
			}
			return nil
		})
		after, err := c.js.Stream(ctx, p.stream)
		require.NoError(t, err)
		want, got := before.CachedInfo().Config, after.CachedInfo().Config
		want.FirstSeq, got.FirstSeq = 0, 0
		require.Equal(t, want, got, p.what)
	}
	soon(t, "all", func() error { return c.Missing(ctx) })
}

// This is a pod without a volume, or with a volume that is not mounted.
func TestAServerThatComesBackEmptyIsSetUp(t *testing.T) {
	t.Parallel()
	s, _ := open(t, SetupConfig{})
	c, _ := s.logged(t)
	keeping(t, c, SetupConfig{})
	r, l, b := c.Records(), c.Leases(), c.Blobs()
	_, err := r.Create(t.Context(), record("before"))
	require.NoError(t, err)
	s.Stop()
	s.Config.Dir = t.TempDir()
	s.Start()
	soon(t, "probe the records", func() error { return r.Probe(t.Context()) })
	soon(t, "probe the leases", func() error { return l.Probe(t.Context()) })
	soon(t, "put", func() error { _, err := b.Put(t.Context(), []byte("x")); return err })
	_, err = r.Get(t.Context(), "before")
	require.ErrorIs(t, err, job.ErrNotFound, "that job is gone")
	_, err = r.Create(t.Context(), record("after"))
	require.NoError(t, err)
	all := 0
	for _, err := range r.All(t.Context()) {
		require.NoError(t, err)
		all++
	}
	require.Equal(t, 1, all, "no probe is taken for a record")
	soon(t, "all", func() error { return c.Missing(t.Context()) })
}

// A record was lost with its bucket. When its id is submitted again, watchers see the new
// record, and a process that still has the lost record changes nothing.
func TestARecordOfANewBucketIsNewer(t *testing.T) {
	t.Parallel()
	s, c := open(t, SetupConfig{})
	r := c.Records()
	old, err := r.Create(t.Context(), record("digits"))
	require.NoError(t, err)
	seen := make(chan Entry, 100)
	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- r.Watch(ctx, func(e Entry) { seen <- e }) }()
	t.Cleanup(func() { stop(); <-ended })
	require.Equal(t, old, receive(t, seen).Revision)

	keeping(t, s.connect(t), SetupConfig{}) // another coordinator creates the bucket
	keeping(t, c, SetupConfig{})            // and this one may only notice it
	require.NoError(t, c.js.DeleteStream(t.Context(), kvStream+JobBucket))
	again := record("digits")
	again.Run = "r2"
	var created uint64
	soon(t, "submit again", func() (err error) { created, err = r.Create(t.Context(), again); return err })
	require.Greater(t, created, old)
	require.Equal(t, job.Run("r2"), receive(t, seen).Record.Run)
	stale := record("digits")
	stale.State = job.Failed
	_, err = r.Update(t.Context(), stale, old)
	require.ErrorIs(t, err, job.ErrConflict)
}

// A missing bucket says nothing about its content. A program that took it for
// job.ErrNotFound would lose a job or let it fail.
func TestAMissingBucketIsNotAnEmptyOne(t *testing.T) {
	t.Parallel()
	_, c := open(t, SetupConfig{})
	ctx := t.Context()
	r, l, b, m := c.Records(), c.Leases(), c.Blobs(), c.Models()
	revision, err := r.Create(ctx, record("a"))
	require.NoError(t, err)
	digest, err := b.Put(ctx, []byte("block"))
	require.NoError(t, err)
	require.NoError(t, m.PutFile(ctx, "m", "f", strings.NewReader("x")))
	require.NoError(t, m.SetAlias(ctx, "n", "m"))
	lease, err := l.Acquire(ctx, "a", "o")
	require.NoError(t, err)
	for _, p := range c.resources(SetupConfig{}) {
		require.NoError(t, c.js.DeleteStream(ctx, p.stream))
	}
	fresh := func() (*Records, *Leases, *Blobs, *Models) { return c.Records(), c.Leases(), c.Blobs(), c.Models() }
	for range 2 { // with buckets that were opened before, and with new ones
		for what, do := range map[string]func() error{
			"get a record":    func() error { _, err := r.Get(ctx, "a"); return err },
			"create one":      func() error { _, err := r.Create(ctx, record("b")); return err },
			"update one":      func() error { _, err := r.Update(ctx, record("a"), revision); return err },
			"delete one":      func() error { return r.Delete(ctx, "a", revision) },
			"list them":       func() error { err := firstError(r.All(ctx)); return err },
			"probe them":      func() error { return r.Probe(ctx) },
			"acquire a lease": func() error { _, err := l.Acquire(ctx, "c", "o"); return err },
			"probe leases":    func() error { return l.Probe(ctx) },
			"get a blob":      func() error { _, err := b.Get(ctx, digest); return err },
			"look for one":    func() error { _, err := b.Has(ctx, digest); return err },
			"put one":         func() error { _, err := b.Put(ctx, []byte("another")); return err },
			"delete a blob":   func() error { return b.Delete(ctx, digest) },
			"get a model":     func() error { _, err := m.GetFile(ctx, "m", "f"); return err },
			"list models":     func() error { _, err := m.List(ctx, "m"); return err },
			"resolve":         func() error { _, err := m.Resolve(ctx, "n"); return err },
			"the tasks":       func() error { return c.TasksMissing(ctx) },
		} {
			err := do()
			require.ErrorIs(t, err, errMissing, what)
			require.NotErrorIs(t, err, job.ErrNotFound, what)
			require.Equal(t, 503, codeOf(err), what)
		}
		r, l, b, m = fresh()
	}
	require.ErrorContains(t, c.Missing(ctx), "bucket "+LeaseBucket)
	_, err = c.OpenObject(ctx, "nobodys/data.csv")
	require.ErrorIs(t, err, job.ErrNotFound, "this bucket is the user's")
	require.Error(t, lease.Release(ctx))
}

// Keep logs a stream that it cannot create again, but not ten times a second.
func TestAFaultThatLastsIsLoggedSparingly(t *testing.T) {
	t.Parallel()
	s, _ := open(t, SetupConfig{})
	c, log := s.logged(t)
	impossible := SetupConfig{JobBytes: 1 << 50}
	began := time.Now()
	require.NoError(t, c.js.DeleteStream(t.Context(), kvStream+JobBucket))
	watching, stop := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	r := c.Records()
	go func() { ended <- r.Watch(watching, func(Entry) {}) }()
	events := c.Events()
	require.NoError(t, c.js.DeleteStream(t.Context(), EventStream))
	require.NoError(t, events.Publish(notice.Event{Job: "j", Type: notice.NoteEvent, Message: "x"}))
	keeping(t, c, impossible)
	for _, text := range []string{"cannot check the bucket " + JobBucket, "cannot read the job records"} {
		soon(t, text, func() error {
			if log.count(text) == 0 {
				return errors.New(text)
			}
			return nil
		})
	}
	// Only the first of several failures was logged.
	<-time.After(4 * keepEvery)
	for _, text := range []string{"cannot make sure of", "cannot read the job records", "an event cannot be sent"} {
		n := log.count(text)
		require.LessOrEqual(t, n, 1+int(time.Since(began)/quietPeriod), text)
	}
	stop()
	<-ended
	last, cancel := context.WithTimeout(context.WithoutCancel(t.Context()), patience)
	defer cancel()
	require.NoError(t, c.Setup(last, SetupConfig{}))
	require.NoError(t, events.Close(last), "the event was waiting for its stream")
}

func TestADeadLetterWaitsForItsStream(t *testing.T) {
	t.Parallel()
	_, c := open(t, SetupConfig{})
	require.NoError(t, c.js.DeleteStream(t.Context(), DeadStream))
	put := make(chan error, 1)
	go func() {
		put <- c.PutDead(t.Context(), notice.DeadLetter{Ref: ref, Time: time.Now(), Task: task(1), Name: task(1).Name(), Error: "why"})
	}()
	keeping(t, c, SetupConfig{})
	require.NoError(t, receive(t, put))
	stream, err := c.js.Stream(t.Context(), DeadStream)
	require.NoError(t, err)
	require.EqualValues(t, 1, stream.CachedInfo().State.Msgs)
}

func TestProbeSaysThatTheRecordsAreFull(t *testing.T) {
	t.Parallel()
	_, c := open(t, SetupConfig{JobBytes: 1 << 20})
	r := c.Records()
	require.NoError(t, r.Probe(t.Context()))
	big := record("big")
	big.Message = strings.Repeat("x", 1<<20/8*7-growth-usual/2)
	_, err := r.Create(t.Context(), big)
	require.NoError(t, err)
	err = r.Probe(t.Context())
	require.ErrorIs(t, err, job.ErrFull)
	require.ErrorContains(t, err, "remove jobs")
	_, err = r.Create(t.Context(), record("next"))
	if err != nil {
		require.ErrorIs(t, err, job.ErrFull)
	}
}

// A server whose disk quota is used up reports that and accepts nothing. It continues when
// there is more space.
func TestAServerWithoutRoom(t *testing.T) {
	t.Parallel()
	limits := SetupConfig{EventBytes: 1 << 20, JobBytes: 1 << 20, SweepBytes: 1 << 20}
	s := startServer(t, embedded.Config{Store: 96 << 20})
	c := s.connect(t)
	require.NoError(t, c.Setup(t.Context(), limits))
	r, l, b := c.Records(), c.Leases(), c.Blobs()
	chunk := bytes.Repeat([]byte{1}, 8<<20)
	fill, err := c.js.CreateStream(t.Context(), jetstream.StreamConfig{Name: "FILL", Subjects: []string{"fill"}})
	require.NoError(t, err)
	require.NotNil(t, fill)
	for err == nil {
		_, err = c.js.Publish(t.Context(), "fill", chunk[:7<<20])
	}
	require.ErrorIs(t, classify(err), job.ErrFull)
	_, err = b.Put(t.Context(), chunk[:1000])
	require.ErrorIs(t, err, job.ErrFull, "a blob")
	require.ErrorIs(t, r.Probe(t.Context()), job.ErrFull)
	require.ErrorIs(t, l.Probe(t.Context()), job.ErrFull)
	_, err = r.Create(t.Context(), record("a"))
	require.ErrorIs(t, err, job.ErrFull)
	_, err = l.Acquire(t.Context(), "a", "o")
	require.ErrorIs(t, err, job.ErrFull)

	s.Stop()
	s.Config.Store = 1 << 30
	s.Start()
	soon(t, "a record", func() error { _, err := r.Create(t.Context(), record("a")); return err })
	soon(t, "a blob", func() error { _, err := b.Put(t.Context(), chunk[:1000]); return err })
	soon(t, "a lease", func() error {
		lease, err := l.Acquire(t.Context(), "a", "o")
		if err == nil {
			err = lease.Release(t.Context())
		}
		return err
	})
}

// A value that is not a record stops neither watching nor listing. It is logged once for
// each revision, and can be deleted.
func TestAValueThatIsNoRecord(t *testing.T) {
	t.Parallel()
	s, _ := open(t, SetupConfig{})
	c, log := s.logged(t)
	r := c.Records()
	kv, err := r.bucket.get(t.Context())
	require.NoError(t, err)
	seen := make(chan Entry, 100)
	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- r.Watch(ctx, func(e Entry) { seen <- e }) }()
	t.Cleanup(func() { stop(); <-ended })
	_, err = r.Create(t.Context(), record("first"))
	require.NoError(t, err)
	require.Equal(t, job.ID("first"), receive(t, seen).Record.ID)
	for i, value := range []string{"junk", "[]", `{"id":"other"}`, ""} {
		_, err = kv.Put(t.Context(), "broken", []byte(value))
		require.NoError(t, err)
		// The bucket stores one value for each key: the next value could replace this one
		// before the watcher reads it.
		require.Eventually(t, func() bool { return log.count("skipped a job record that cannot be read") > i }, patience, time.Millisecond)
		for range 3 {
			all, err := everyRecord(r.All(t.Context()))
			require.NoError(t, err)
			require.Len(t, all, 1)
		}
	}
	_, err = r.Create(t.Context(), record("second"))
	require.NoError(t, err)
	require.Equal(t, job.ID("second"), receive(t, seen).Record.ID)
	require.Equal(t, 4, log.count("skipped a job record that cannot be read"))
	e, err := r.Get(t.Context(), "broken")
	require.ErrorIs(t, err, job.ErrCorrupt)
	require.NoError(t, r.Delete(t.Context(), "broken", e.Revision))
	_, err = r.Get(t.Context(), "broken")
	require.ErrorIs(t, err, job.ErrNotFound)
}

// A worker's subscription survives the loss of the task stream, although the worker may not
// create the stream.
func TestAnIdleWorkerGetsTasksOfANewStream(t *testing.T) {
	t.Parallel()
	s, c := open(t, SetupConfig{})
	sub, err := s.connect(t).Queue(QueueConfig{}).Subscribe(t.Context(), class)
	require.NoError(t, err)
	t.Cleanup(sub.Close)
	got := make(chan queue.Delivery, 1)
	go func() {
		defer close(got)
		if d, err := sub.Next(t.Context()); err == nil {
			got <- d
		}
	}()
	keeping(t, c, SetupConfig{})
	require.NoError(t, c.js.DeleteStream(t.Context(), TaskStream))
	require.NoError(t, c.Queue(QueueConfig{}).Publish(t.Context(), task(7)))
	require.EqualValues(t, 7, receive(t, got).Task().Step)
}

// everyRecord collects a listing, without the values that are not records.
func everyRecord(all iter.Seq2[Entry, error]) (entries []Entry, err error) {
	for e, err := range all {
		switch {
		case errors.Is(err, job.ErrCorrupt):
		case err != nil:
			return nil, err
		default:
			entries = append(entries, e)
		}
	}
	return entries, nil
}

// firstError returns the first error of a listing.
func firstError(all iter.Seq2[Entry, error]) error {
	for _, err := range all {
		if err != nil {
			return err
		}
	}
	return nil
}
