package run_test

import (
	"fmt"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"

	"tributary/shared/job"
	"tributary/shared/notice"
)

// A job that needs what no present worker knows waits and says so, and no worker gets its
// tasks. A worker of a later version computes it. Jobs of the base class are published
// where workers of every version consume.
func TestAJobGoesToWorkersThatKnowIt(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	var early atomic.Int64
	classes := map[job.ID]job.Class{}
	w.working = func(t job.Task) error { // one task at a time
		if t.Job == "novel" && !w.novel.Load() {
			early.Add(1)
		}
		classes[t.Job] = t.Class
		return nil
	}
	w.run(w.service("test"), 4)
	w.submit(strings.Replace(line("novel", 20), `"name":"line"`, `"name":"novel"`, 1))
	w.until("the job to wait", func() bool {
		return w.records["novel"].Message == "waiting: the job needs novelty; none of the 1 workers present (1 of v1) knows it"
	})
	require.Equal(t, []job.Capability{"novelty"}, w.records["novel"].Capabilities)
	w.submit(line("plain", 20))
	require.Equal(t, job.Succeeded, w.ended("plain").State)
	require.Zero(t, early.Load(), "nobody was asked to compute it")

	w.novel.Store(true)
	r := w.ended("novel")
	require.Equal(t, job.Succeeded, r.State, r.Error)
	require.Empty(t, r.Message)
	w.doing.Lock()
	defer w.doing.Unlock()
	require.Equal(t, map[job.ID]job.Class{"plain": "", "novel": "novelty"}, classes)
}

// A coordinator leaves a job alone that needs what it does not know. A coordinator of a
// later version drives it.
func TestACoordinatorLeavesWhatItDoesNotKnow(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.change(func() {
		w.records["later"] = job.Record{ID: "later", Run: "r", State: job.Running, Plan: "p", Numerics: "n", Capabilities: []job.Capability{"unheard-of"}}
		w.revisions["later"] = 1
	})
	s := w.service("test")
	w.run(s, 1)
	w.submit(line("plain", 20))
	require.Equal(t, job.Succeeded, w.ended("plain").State)
	r := w.records["later"]
	require.Equal(t, job.Running, r.State)
	require.Empty(t, r.Owner, "it was not taken")
}

// A coordinator that learns this only from the plan releases the job, which does not
// fail.
func TestACoordinatorLetsGoOfAPlanThatItDoesNotKnow(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	digest, err := w.blobs.Put(t.Context(), []byte(`{"version":9}`))
	require.NoError(t, err)
	w.change(func() {
		w.records["later"] = job.Record{ID: "later", Run: "r", State: job.Running, Plan: digest, Numerics: "n"}
		w.revisions["later"] = 1
	})
	w.run(w.service("test"), 1)
	w.reported("that the job waits", func(e notice.Event) bool {
		return e.Type == notice.WaitingEvent && strings.Contains(e.Message, "a coordinator of another version must drive the job") &&
			strings.Contains(e.Message, "plan has version 9")
	})
	w.until("its lease to be free", func() bool { return w.leases["later"] == nil })
	require.Equal(t, job.Running, w.records["later"].State)
}

// A job that no worker's program knows waits, says so, and offers its tasks to no worker.
// It goes on when a worker of another version comes. No attempt counts as failed, for any
// number of attempts.
func TestAJobThatNoWorkerKnowsWaits(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	var upgraded atomic.Bool
	w.working = func(job.Task) error {
		if !upgraded.Load() {
			return fmt.Errorf("plan has version 7; this program reads version 1: %w", job.ErrUnsupported)
		}
		return nil
	}
	s := w.service("test")
	w.run(s, 4)
	w.submit(line("j", 20))
	w.until("the job to wait", func() bool {
		m := w.records["j"].Message
		return strings.HasPrefix(m, "waiting: none of the 1 workers present (1 of v1) knows an operation of the job: ") &&
			strings.Contains(m, "plan has version 7")
	})
	require.Zero(t, s.Slots("j"))
	w.reported("who does not know it", func(e notice.Event) bool {
		return e.Type == notice.NoteEvent && strings.HasPrefix(e.Message, "worker w does not know an operation of the job")
	})

	upgraded.Store(true)
	s.Beat(notice.Beat{Worker: "w", Leaving: true})
	r := w.ended("j")
	require.Equal(t, job.Succeeded, r.State, r.Error)
	require.Empty(t, r.Message)
	for _, e := range w.events {
		require.NotEqual(t, notice.ErrorEvent, e.Type, e.Message)
	}
}
