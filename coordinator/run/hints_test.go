package run_test

import (
	"context"
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"tributary/coordinator/run"
	"tributary/shared/blob"
	"tributary/shared/checkpoint"
	"tributary/shared/job"
	"tributary/shared/journal"
	"tributary/shared/ledger"
	"tributary/shared/notice"
	"tributary/shared/queue"
)

// Forged notices change nothing. Each of them would end, slow down or falsify a job that
// trusted it.
func TestForgedNoticesChangeNothing(t *testing.T) {
	t.Parallel()
	want := reference(t, 60)
	w := newWorld(t)
	goOn := w.halt(20)
	s := w.service("a")
	w.run(s, 2)
	w.submit(line("j", 60))
	w.reported("progress", func(e notice.Event) bool { return e.Step == 20 })
	w.mu.Lock()
	r := w.records["j"]
	w.mu.Unlock()
	forged := w.forgedCheckpoint(t, r)
	poison := notice.Failure{Ref: ref, Task: job.Task{Ref: ref, Kind: job.Gradient, Step: 20, Node: 1}, Worker: "w", Error: "because I say so", Poison: true}
	for range 50 {
		s.Failed(poison)
		s.Committed(notice.Commit{Ref: ref, Step: 59, Committed: 60, Worker: "evil"})
		s.Committed(notice.Commit{Ref: ref, Step: 1 << 50, Committed: 1<<50 + 1, Worker: "evil"})
		s.Snapshotted(notice.Snapshotted{Ref: ref, Step: 1 << 50})
		s.Evaluated(notice.Evaluated{Ref: ref, Step: 20, Stored: 1 << 30})
		s.Checkpointed(notice.Checkpointed{Ref: ref, Step: 60, Digest: forged})
		s.Exhausted(poison.Task, 8)
	}
	goOn()
	r = w.ended("j")
	require.Equal(t, job.Succeeded, r.State, r.Error)
	require.Equal(t, want.ParametersSHA256, r.Outcome.ParametersSHA256)
	for _, c := range r.Checkpoints {
		require.NotEqual(t, forged, c.Digest)
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, e := range w.events {
		require.NotContains(t, e.Message, "because I say so")
		require.LessOrEqual(t, e.Step, int64(60))
	}
}

// forgedCheckpoint stores a complete checkpoint after the job's last step, with
// parameters that the forger chose.
func (w *world) forgedCheckpoint(t *testing.T, r job.Record) job.Digest {
	t.Helper()
	s := &checkpoint.State{Ref: r.Ref(), Plan: r.Plan, Numerics: "n", Evaluations: map[string][]byte{}}
	s.Snapshot = ledger.Snapshot{Step: 60, Chain: make(ledger.Chain, 1), Vectors: [][]float32{{0.5, 0.5}}}
	for range 60 {
		s.Losses = append(s.Losses, ledger.Sums{Examples: 5, Loss: 1})
	}
	d, err := checkpoint.NewDraft(s)
	require.NoError(t, err)
	require.NoError(t, d.Write(t.Context(), w.blobs, func() {}))
	has, err := blob.Store(w.blobs).Has(t.Context(), d.Digest)
	require.NoError(t, err)
	require.True(t, has)
	return d.Digest
}

// Heartbeats of workers that do not exist do not choose a job's numerics.
func TestFakeBeatsChooseNoNumerics(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	s := w.service("a")
	w.run(s, 1)
	for n := range 50 {
		s.Beat(notice.Beat{Worker: fmt.Sprint("fake-", n), Numerics: "evil", Slots: 4096})
	}
	w.submit(line("j", 30))
	r := w.ended("j")
	require.Equal(t, job.Succeeded, r.State, r.Error)
	require.Equal(t, job.Numerics("n"), r.Numerics)
}

// A coordinator detects at once that a worker's connection is gone, without a long
// silence. Another worker then does the tasks of that worker.
func TestAWorkerThatIsGoneIsMissedAtOnce(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	died := make(chan struct{})
	cfg := w.config("a")
	cfg.Gone = func(_ context.Context, worker string) bool {
		select {
		case <-died:
			return worker == "first"
		default:
			return false
		}
	}
	s := run.New(cfg)
	w.run(s, 0)
	w.beat("first", 1)
	go w.beatUntil(t.Context(), "first", 1) // messages in flight when the worker dies
	sub, err := w.queue.Subscribe(t.Context(), queue.Class{Lane: queue.GradientLane, Numerics: "n"})
	require.NoError(t, err)
	w.submit(line("j", 30))
	d, err := sub.Next(t.Context()) // the worker named first dies with this task
	require.NoError(t, err)
	require.NoError(t, journal.New(d.Task(), "first", 1).Begin(t.Context(), w.ledger))
	sub.Close()
	close(died)
	w.until("first to be missed", func() bool { return strings.Contains(w.records["j"].Message, "no worker is present") })
}
