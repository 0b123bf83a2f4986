package compute

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"

	"github.com/stretchr/testify/require"

	"tributary/shared/job"
	"tributary/shared/notice"
	"tributary/shared/tree"
	"tributary/worker/course"
)

// forged sends every worker notices that the ledger and the journal do not confirm.
func (f *fixture) forged(task job.Task) {
	f.notices.recall(notice.Recall{Ref: task.Ref, Before: 1 << 61})
	f.notices.mu.Lock()
	defer f.notices.mu.Unlock()
	for _, receive := range f.notices.commitHandlers {
		receive(notice.Commit{Ref: task.Ref, Step: 1 << 50, Committed: 1<<50 + 1, Worker: "evil"})
	}
}

// False notices of commits and recalls end no task and change no bit.
func TestForgedNoticesChangeNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFixture(t)
		one, two := f.worker(nil), f.worker(nil)
		done := make(chan error, 2)
		go func() { done <- one.Handle(t.Context(), f.ranged(0, 2), none) }()
		for range course.MaxMisled / 2 {
			synctest.Wait() // the task waits for the other half
			f.forged(f.ranged(0, 2))
		}
		synctest.Wait()
		require.Empty(t, done, "the task is neither recalled nor over")
		go func() { done <- two.Handle(t.Context(), f.ranged(0, 3), none) }()
		for range 2 {
			f.forged(f.ranged(0, 2))
			require.NoError(t, <-done)
		}
		require.Equal(t, f.reference(), f.roots(0, steps))
		require.EqualValues(t, steps, f.notices.commits[len(f.notices.commits)-1], "what is announced is what was committed")
	})
}

// False notices do not disturb a task that has its steps on its own either.
func TestForgedNoticesDoNotSlowALoneWorker(t *testing.T) {
	f, g := batched(t, 22), batched(t, 22)
	f.do(f.worker(nil), f.far(4))
	h := disturbed{at: func() { g.forged(g.far(4)) }}
	require.NoError(t, g.worker(nil).Handle(t.Context(), g.far(4), h))
	require.Equal(t, f.notices.commits, g.notices.commits, "as many steps at a time as without the forger")
}

// disturbed calls at on every progress.
type disturbed struct {
	hold
	at func()
}

func (d disturbed) Progress() { d.at() }

// recorded returns the record of the fixture's job.
type recorded struct {
	record job.Record
	err    error
}

func (r recorded) Record(context.Context, job.ID) (job.Record, error) { return r.record, r.err }

// A task that its job's record does not ask for is not carried out. This is not a
// failure.
func TestATaskIsHeldAgainstItsJobsRecord(t *testing.T) {
	f := newFixture(t)
	good := job.Record{ID: "j", Run: "r", State: job.Running, Plan: f.digest}
	with := func(change func(*job.Record)) recorded {
		r := good
		change(&r)
		return recorded{record: r}
	}
	for name, c := range map[string]struct {
		records recorded
		want    error
	}{
		"another plan":   {with(func(r *job.Record) { r.Plan = "other" }), job.ErrUnready},
		"another run":    {with(func(r *job.Record) { r.Run = "s" }), job.ErrUnready},
		"cancelled":      {with(func(r *job.Record) { r.State = job.Cancelled }), job.ErrUnready},
		"no plan yet":    {with(func(r *job.Record) { r.Plan = "" }), job.ErrUnready},
		"no such job":    {recorded{err: job.ErrNotFound}, job.ErrUnready},
		"NATS is away":   {recorded{err: errUnreachable}, errUnreachable},
		"as it is asked": {recorded{record: good}, nil},
	} {
		t.Run(name, func(t *testing.T) {
			w := f.worker(nil)
			w.Records = c.records
			before := f.state()
			err := w.Handle(t.Context(), f.gradient(before.Committed, tree.Root), none)
			if c.want == nil {
				require.NoError(t, err)
				return
			}
			require.ErrorIs(t, err, c.want)
			require.NotErrorIs(t, err, job.ErrPoison)
			require.Equal(t, before, f.state())
		})
	}
}

var errUnreachable = errors.New("no route")
