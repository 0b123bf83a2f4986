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

// A job that no worker's program knows waits, says so, and asks nobody any more. It goes
// on when a worker of another version comes. No attempt counts as failed, however many
// there were.
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
		return strings.HasPrefix(m, "waiting: none of the 1 workers present (1 of v1) knows what the job asks for: ") &&
			strings.Contains(m, "plan has version 7")
	})
	require.Zero(t, s.Slots("j"))
	w.told("who does not know it", func(e notice.Event) bool {
		return e.Type == notice.NoteEvent && strings.HasPrefix(e.Message, "worker w does not know what the job asks for")
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
