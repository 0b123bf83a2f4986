package run

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/rs/zerolog"
	"github.com/stretchr/testify/require"

	"tributary/shared/job"
	"tributary/shared/notice"
	"tributary/shared/telemetry"
)

// oneRecord is a bucket with one record.
type oneRecord struct {
	Records
	record   job.Record
	revision uint64
	err      error // error of every call, if set
	events   []notice.Event
}

func (o *oneRecord) Get(context.Context, job.ID) (job.Record, uint64, error) {
	return o.record, o.revision, o.err
}

func (o *oneRecord) Update(_ context.Context, r job.Record, revision uint64) (uint64, error) {
	if o.err != nil {
		return 0, o.err
	}
	if revision != o.revision {
		return 0, job.ErrConflict
	}
	o.record, o.revision = r, revision+1
	return o.revision, nil
}

func (o *oneRecord) Publish(e notice.Event) error {
	o.events = append(o.events, e)
	return e.Validate()
}

// driving returns a driver of a job that is preparing.
func driving() (*driver, *oneRecord, *bytes.Buffer) {
	var log bytes.Buffer
	o := &oneRecord{record: job.Record{ID: "j", Run: "r", State: job.Preparing, Term: 7}}
	s := New(Config{Records: o, Events: o, Log: zerolog.New(&log)})
	return &driver{service: s, ref: o.record.Ref(), term: 7, log: s.cfg.Log, notes: telemetry.NewLimit()}, o, &log
}

// failing makes an operation that returns errs one after the other, and the last one
// until the time lasts is over.
func failing(lasts time.Duration, errs ...error) func() (int, error) {
	began := time.Now()
	return func() (int, error) {
		err := errs[0]
		if len(errs) > 1 {
			errs = errs[1:]
		}
		if time.Since(began) < lasts {
			return 0, err
		}
		return 1, nil
	}
}

func TestLastingFaultIsReportedOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d, o, log := driving()
		digest := 0
		try := failing(time.Hour, errors.New("unused"))
		v, err := persist(t.Context(), d, "store the data", func() (int, error) {
			v, err := try()
			if err != nil { // the blob may differ each time
				digest++
				err = fmt.Errorf("put blob %064x in put-%d at nats://me:secret@host: no room: %w", digest, digest, job.ErrFull)
			}
			if v == 0 && o.record.Message != "" {
				require.Contains(t, o.record.Message, "waiting: store the data: put blob 00")
				require.True(t, strings.HasSuffix(o.record.Message, " at nats://…@host: no room"), o.record.Message)
			}
			return v, err
		})
		require.NoError(t, err)
		require.Equal(t, 1, v)
		require.Len(t, o.events, 1)
		require.Equal(t, notice.WaitingEvent, o.events[0].Type)
		require.Contains(t, o.events[0].Message, "waiting: store the data")
		require.Empty(t, o.record.Message, "it goes on")
		require.NotContains(t, fmt.Sprint(o.events, o.record), "secret")
		lines := strings.Count(log.String(), "\n")
		require.LessOrEqual(t, lines, int(time.Hour/quietPeriod)+2)
		require.Greater(t, lines, 100)
	})
}

func TestShortFaultIsNotReported(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d, o, _ := driving()
		_, err := persist(t.Context(), d, "x", failing(reportAfter/2, errors.New("busy")))
		require.NoError(t, err)
		_, err = persist(t.Context(), d, "x", failing(time.Minute, job.ErrConflict))
		require.NoError(t, err)
		require.Empty(t, o.events)
		require.Zero(t, o.revision)
	})
}

func TestAnotherCauseIsReportedToo(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d, o, _ := driving()
		first, second := errors.New("the disk is full"), errors.New("the bucket is missing")
		began := time.Now()
		_, err := persist(t.Context(), d, "x", func() (int, error) {
			switch past := time.Since(began); {
			case past < time.Minute:
				return 0, first
			case past < 2*time.Minute:
				return 0, second
			}
			return 0, nil
		})
		require.NoError(t, err)
		require.Len(t, o.events, 2)
		require.Contains(t, o.events[0].Message, "the disk is full")
		require.Contains(t, o.events[1].Message, "the bucket is missing")

		o.events = nil
		n := 0
		alternating := failing(time.Minute, errors.New("unused"))
		_, err = persist(t.Context(), d, "x", func() (int, error) {
			v, err := alternating()
			if n++; err != nil {
				err = []error{first, second}[n%2]
			}
			return v, err
		})
		require.NoError(t, err)
		require.LessOrEqual(t, len(o.events), 1+int(time.Minute/quietPeriod), "they do not flood the stream")
	})
}

// While the records cannot be written, an event reports the wait. A message of another
// origin or of another driver's record stays.
func TestTheRecordIsLeftAlone(t *testing.T) {
	for name, c := range map[string]struct {
		prepare func(*driver, *oneRecord)
		events  int
	}{
		"it cannot be read":         {func(_ *driver, o *oneRecord) { o.err = errors.New("no answer") }, 1},
		"it is gone":                {func(_ *driver, o *oneRecord) { o.err = job.ErrNotFound }, 0},
		"it is not claimed yet":     {func(d *driver, _ *oneRecord) { d.term = 8 }, 1},
		"another driver has it":     {func(_ *driver, o *oneRecord) { o.record.Term = 8 }, 0},
		"it is another run's":       {func(_ *driver, o *oneRecord) { o.record.Run = "other" }, 0},
		"the job was cancelled":     {func(_ *driver, o *oneRecord) { o.record.State = job.Cancelled }, 0},
		"the job is being released": {func(_ *driver, o *oneRecord) { o.record.State = job.Succeeded }, 0},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				d, o, _ := driving()
				o.record.Message = "as it was"
				c.prepare(d, o)
				before := o.record
				_, err := persist(t.Context(), d, "x", failing(time.Minute, errors.New("fault")))
				require.NoError(t, err)
				require.Len(t, o.events, c.events)
				require.Equal(t, before, o.record)
			})
		})
	}
}

func TestTheMessageOfBeforeIsPutBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d, o, _ := driving()
		o.record.Message = "waiting: no worker is present"
		written := ""
		try := failing(time.Minute, errors.New("fault"))
		_, err := persist(t.Context(), d, "x", func() (int, error) { written = o.record.Message; return try() })
		require.NoError(t, err)
		require.Equal(t, "waiting: x: fault", written)
		require.Equal(t, "waiting: no worker is present", o.record.Message)

		began := time.Now()
		_, err = persist(t.Context(), d, "x", func() (int, error) {
			if time.Since(began) < time.Minute {
				return 0, errors.New("fault")
			}
			o.record.Message, o.revision = "newer", o.revision+1
			return 0, nil
		})
		require.NoError(t, err)
		require.Equal(t, "newer", o.record.Message)
	})
}

func TestLeasesAreAskedForWithGrowingPauses(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var log bytes.Buffer
		l := newLeasing(zerolog.New(&log))
		ref, began, asks, reports := job.Ref{Job: "j", Run: "r"}, time.Now(), 0, 0
		for time.Since(began) < time.Minute {
			if l.due(time.Since(began), ref) {
				asks++
				if l.answered(time.Since(began), ref, errors.New("no bucket")) {
					reports++
				}
			}
			<-time.After(takeEvery)
		}
		require.Less(t, asks, 40)
		require.Greater(t, asks, 28)
		require.Equal(t, 1, reports)
		require.LessOrEqual(t, strings.Count(log.String(), "\n"), 1+int(time.Minute/quietPeriod))
		l.answered(time.Since(began), ref, fmt.Errorf("held by a: %w", job.ErrConflict))
		require.True(t, l.due(time.Since(began), ref), "its holder may die at any moment")
		require.Empty(t, l.refused)
	})
}
