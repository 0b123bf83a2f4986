package run_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"tributary/coordinator/run"
	"tributary/shared/blob"
	"tributary/shared/job"
	"tributary/shared/ledger"
	"tributary/shared/notice"
)

// fullStore is a blob store that has no room while full is set.
type fullStore struct {
	blob.Store
	full atomic.Bool
	puts atomic.Int64 // refused calls
}

func (f *fullStore) Put(ctx context.Context, data []byte) (job.Digest, error) {
	if f.full.Load() {
		f.puts.Add(1)
		return "", fmt.Errorf("put blob %s: %w: %w", blob.DigestOf(data), syscall.ENOSPC, job.ErrFull)
	}
	return f.Store.Put(ctx, data)
}

// counted counts how often a dataset is opened.
type counted struct {
	opened atomic.Int64
	rows   string
}

func (c *counted) Open(context.Context, string) (io.ReadCloser, error) {
	c.opened.Add(1)
	return io.NopCloser(strings.NewReader(c.rows)), nil
}

func waitingFor(e notice.Event) bool { return e.Type == notice.WaitingEvent }

// A job waits for a full blob store and says so. It does not read the dataset again and
// loses nothing.
func TestAFullBlobStoreIsWaitedFor(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	blobs := &fullStore{Store: w.blobs}
	blobs.full.Store(true)
	data := &counted{rows: "x,y\n1,2\n2,4\n3,5\n4,6\n5,8\n"}
	cfg := w.config("test")
	cfg.Blobs, cfg.Sources = blobs, data
	var asked atomic.Int64
	cfg.Collect = func() { asked.Add(1) }
	w.run(run.New(cfg), 1)
	spec := strings.Replace(line("a", 30), `"inline":{"x":[1,2,3,4,5],"y":[2,4,5,6,8]}`, `"source":"rows.csv","format":"csv","label":"y"`, 1)
	w.submit(spec)
	w.until("the message", func() bool {
		return strings.HasPrefix(w.records["a"].Message, "waiting: store the data: put blob ") &&
			strings.HasSuffix(w.records["a"].Message, "no space left on device")
	})
	w.until("the job to let blobs be deleted", func() bool { return w.records["a"].State == job.Submitted })
	require.EqualValues(t, 1, asked.Load())
	refused := blobs.puts.Load()
	require.Eventually(t, func() bool { return blobs.puts.Load() > refused+1 }, 20*time.Second, 10*time.Millisecond, "it is tried again")
	opened := data.opened.Load()
	blobs.full.Store(false)
	r := w.ended("a")
	require.Equal(t, job.Succeeded, r.State, r.Error)
	require.Empty(t, r.Message)
	require.Equal(t, opened, data.opened.Load(), "the dataset was not read again")
	reports := 0
	for _, e := range w.events {
		if waitingFor(e) && strings.Contains(e.Message, "store the data") {
			reports++
		}
	}
	require.Equal(t, 1, reports)

	plain := newWorld(t)
	cfg = plain.config("test")
	cfg.Sources = data
	plain.run(run.New(cfg), 1)
	plain.submit(spec)
	require.Equal(t, plain.ended("a").Outcome.ParametersSHA256, r.Outcome.ParametersSHA256)
}

// A job also waits for a source that is away for a while.
func TestAScratchFolderWithoutRoomIsWaitedFor(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	var full atomic.Bool
	full.Store(true)
	cfg := w.config("test")
	cfg.Sources = opens(func() (io.ReadCloser, error) {
		if full.Load() {
			return nil, fmt.Errorf("scratch file: %w: %w", syscall.ENOSPC, job.ErrFull)
		}
		return io.NopCloser(strings.NewReader("x,y\n1,2\n2,4\n")), nil
	})
	w.run(run.New(cfg), 1)
	w.submit(strings.Replace(line("a", 3), `"inline":{"x":[1,2,3,4,5],"y":[2,4,5,6,8]}`, `"source":"rows.csv","format":"csv","label":"y"`, 1))
	w.reported("what it waits for", func(e notice.Event) bool {
		return waitingFor(e) && strings.HasPrefix(e.Message, "waiting: prepare the data: ") && strings.Contains(e.Message, "no space left")
	})
	full.Store(false)
	require.Equal(t, job.Succeeded, w.ended("a").State)
}

type opens func() (io.ReadCloser, error)

func (o opens) Open(context.Context, string) (io.ReadCloser, error) { return o() }

// The driver of a job whose record is gone stops, for example after the loss of the
// bucket. The job's state in the ledger is deleted.
func TestAJobWhoseRecordIsGoneIsLetGoOf(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name  string
		steps int
		alive func(*world) bool // the job is in this phase when its record goes
	}{
		{"while it takes steps", 1_000_000, func(w *world) bool {
			for _, e := range w.events {
				if e.Type == notice.ProgressEvent {
					return true
				}
			}
			return false
		}},
		{"while it waits for workers", 10, func(w *world) bool { return w.records["a"].Message != "" }},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			slots := 1
			if c.steps == 10 {
				slots = 0
			}
			w.coordinate(slots)
			w.submit(line("a", c.steps))
			w.until("the job", func() bool { return c.alive(w) })
			var r job.Record
			w.change(func() {
				r = w.records["a"]
				delete(w.records, "a")
				w.revisions["a"]++
			})
			w.until("the end of its driver", func() bool { return len(w.leases) == 0 })
			layout := ledger.Layout{Ref: r.Ref(), Params: 2, ChunkLen: 64 << 10, Microbatch: 1, Plan: r.Plan}
			require.Eventually(t, func() bool {
				state, err := w.ledger.State(t.Context(), layout)
				return err == nil && state == ledger.State{}
			}, time.Minute, 10*time.Millisecond)
			// The id is free again.
			if slots == 1 {
				w.submitRun(line("a", 5), "r2")
				require.Equal(t, job.Succeeded, w.ended("a").State)
			}
		})
	}
}

// It also stops a preparation, however long that takes.
func TestARecordThatIsGoneStopsPreparing(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	cfg := w.config("test")
	reading := make(chan struct{})
	cfg.Sources = waits{reading}
	w.run(run.New(cfg), 0)
	w.submit(strings.Replace(line("a", 3), `"inline":{"x":[1,2,3,4,5],"y":[2,4,5,6,8]}`, `"source":"rows.csv","format":"csv","label":"y"`, 1))
	<-reading
	w.change(func() { delete(w.records, "a") })
	w.until("the end of its driver", func() bool { return len(w.leases) == 0 })
}

// waits is a source whose first byte never comes.
type waits struct{ reading chan struct{} }

func (s waits) Open(ctx context.Context, _ string) (io.ReadCloser, error) {
	close(s.reading)
	<-ctx.Done()
	return nil, ctx.Err()
}

// A value in the bucket that is not a record can be removed.
func TestRemovingWhatIsNoRecord(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	cfg := w.config("test")
	cfg.Records = junk{w}
	w.change(func() { w.records["a"] = job.Record{ID: "a"}; w.revisions["a"] = 3 })
	require.NoError(t, run.New(cfg).Remove(t.Context(), job.Record{ID: "a", Removing: true}, false))
	require.Empty(t, w.records)
}

// junk holds records that cannot be decoded.
type junk struct{ *world }

func (j junk) Get(ctx context.Context, id job.ID) (job.Record, uint64, error) {
	_, revision, err := j.world.Get(ctx, id)
	if err == nil {
		err = job.ErrCorrupt
	}
	return job.Record{}, revision, err
}

// A job that cannot find out whether blobs are being deleted says so while it waits.
func TestTheLeaseOfTheCollectionThatCannotBeReadIsWaitedFor(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	var readable atomic.Bool
	cfg := w.config("a")
	cfg.Collecting = func(context.Context) (bool, error) {
		if !readable.Load() {
			return false, errors.New("the bucket is away")
		}
		return false, nil
	}
	w.run(run.New(cfg), 1)
	w.submit(line("j", 3))
	w.reported("why the job waits", func(e notice.Event) bool {
		return waitingFor(e) && e.Message == "waiting: check whether blobs are being deleted: the bucket is away"
	})
	readable.Store(true)
	r := w.ended("j")
	require.Equal(t, job.Succeeded, r.State, r.Error)
	require.Empty(t, r.Message)
}

// A job waits for workers that are present but take no tasks, and says so.
func TestWorkersThatTakeNoTasksAreWaitedFor(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	s := w.service("a")
	w.run(s, 0)
	w.beat("idle", 0)
	go w.beatUntil(t.Context(), "idle", 0)
	w.submit(line("j", 3))
	w.reported("why the job waits", func(e notice.Event) bool {
		return waitingFor(e) && e.Message == "waiting: none of the 1 workers present takes tasks now"
	})
}
