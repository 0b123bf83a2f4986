package run_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"tributary/coordinator/run"
	"tributary/shared/history"
	"tributary/shared/job"
	"tributary/shared/ledger"
	"tributary/shared/notice"
	"tributary/shared/registry"
)

// line is the worked job with that id and number of steps.
func line(id string, steps int) string {
	return fmt.Sprintf(`{"id":%q,"name":"line","data":{"inline":{"x":[1,2,3,4,5],"y":[2,4,5,6,8]}},
		"model":{"layers":[{"dense":{"units":1}}]},"loss":"mse","optimizer":{"sgd":{"learning_rate":0.01}},"batch":5,"steps":%d}`, id, steps)
}

func TestAJobFromSubmissionToModel(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.coordinate(1)
	w.submit(line("a", 30))
	r := w.ended("a")
	require.Equal(t, job.Succeeded, r.State, r.Error)
	require.EqualValues(t, 30, r.Outcome.Steps)
	require.Equal(t, *r.Outcome.TrainLoss, r.Outcome.Metrics[job.Train]["loss"])
	require.Equal(t, "tributary-models/a", r.Outcome.Out)
	require.NotNil(t, r.Started)
	require.NotNil(t, r.Finished)
	require.Empty(t, r.Message)
	require.Equal(t, map[string]string{"line": "a"}, w.aliases)
	require.Contains(t, w.files, "a/model.safetensors")
	f, err := history.Decode(w.files["a/"+history.FileName])
	require.NoError(t, err)
	require.Equal(t, r.Plan, f.Plan)
	require.EqualValues(t, 30, f.History.Known(), "a mark of every step")
	state, err := w.ledger.State(t.Context(), ledger.Layout{Ref: r.Ref(), Params: 2, ChunkLen: 64 << 10, Microbatch: 1, Plan: r.Plan})
	require.NoError(t, err)
	require.Equal(t, ledger.State{}, state, "the training state is deleted")
}

// The outcome, the model's card, the evaluation's event and one note name a metric that
// could not be computed, with the reason.
func TestWhatCannotBeComputedIsNamed(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.coordinate(1)
	w.submit(strings.Replace(line("a", 3), `"y":[2,4,5,6,8]}}`, `"y":[2,4,5,6,8]},"split":{"train":0.8,"test":0.2}},"metrics":["rmse","r2"]`, 1))
	r := w.ended("a")
	require.Equal(t, job.Succeeded, r.State, r.Error)
	const why = "it divides by the squared deviations of 1 labels from their mean, which are 0 or only rounding"
	require.NotContains(t, r.Outcome.Metrics[job.Test], "r2")
	require.Contains(t, r.Outcome.Metrics[job.Train], "r2")
	require.Len(t, r.Outcome.Undefined, 1)
	require.Contains(t, r.Outcome.Undefined[job.Test]["r2"], why)
	w.reported("the outcome", func(e notice.Event) bool { return e.Outcome != nil })
	w.mu.Lock()
	defer w.mu.Unlock()
	var card registry.Card
	require.NoError(t, json.Unmarshal(w.files["a/"+registry.CardFile], &card))
	require.Equal(t, r.Outcome.Undefined, card.Undefined)
	notes := 0
	for _, e := range w.events {
		switch {
		case e.Type == notice.NoteEvent && strings.Contains(e.Message, "could not be computed: test r2: "+why):
			notes++
		case e.Type == notice.EvaluationEvent && e.Split == job.Test:
			require.Contains(t, e.Undefined["r2"], why)
		}
	}
	require.Equal(t, 1, notes)
}

// If the folder cannot be written, the model is missing there but not lost.
func TestAFolderThatCannotBeWrittenLosesNothing(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.keep = func(job.ID, map[string][]byte) (string, error) { return "", errors.New("out: permission denied") }
	w.coordinate(1)
	w.submit(line("a", 3))
	r := w.ended("a")
	require.Equal(t, job.Succeeded, r.State, r.Error)
	require.Equal(t, "tributary-models/a", r.Outcome.Out)
	require.NotEmpty(t, w.files["a/"+registry.CardFile])
	w.reported("the error", func(e notice.Event) bool {
		return e.Type == notice.ErrorEvent && e.Message == "the model is only in the registry: out: permission denied"
	})
}

// losing is a ledger that loses everything once, when the coordinator reads it for the
// final parameters.
type losing struct {
	ledger.Ledger
	at   int64
	lost atomic.Bool
	when string
}

func (l *losing) lose(ctx context.Context, lay ledger.Layout, when string) error {
	if when != l.when || !l.lost.CompareAndSwap(false, true) {
		return nil
	}
	return l.Delete(ctx, lay)
}

func (l *losing) DropEvaluations(ctx context.Context, lay ledger.Layout, step int64) error {
	if step == l.at {
		if err := l.lose(ctx, lay, "after the last evaluation"); err != nil {
			return err
		}
	}
	return l.Ledger.DropEvaluations(ctx, lay, step)
}

func (l *losing) Evaluations(ctx context.Context, lay ledger.Layout, step int64) (map[string][]byte, error) {
	if step > l.at {
		if err := l.lose(ctx, lay, "after the final parameters"); err != nil {
			return nil, err
		}
	}
	return l.Ledger.Evaluations(ctx, lay, step)
}

func TestALedgerThatIsLostAtTheVeryEndIsComputedAgain(t *testing.T) {
	t.Parallel()
	reference := newWorld(t)
	reference.coordinate(1)
	reference.submit(line("a", 20))
	want := reference.ended("a").Outcome
	for _, when := range []string{"after the last evaluation", "after the final parameters"} {
		t.Run(when, func(t *testing.T) {
			w := newWorld(t)
			l := &losing{Ledger: w.ledger, at: 20, when: when}
			w.ledger = l
			w.coordinate(1)
			w.submit(line("a", 20))
			r := w.ended("a")
			require.Equal(t, job.Succeeded, r.State, r.Error)
			require.True(t, l.lost.Load())
			require.Equal(t, want.ParametersSHA256, r.Outcome.ParametersSHA256)
			require.Equal(t, want.Metrics, r.Outcome.Metrics)
		})
	}
}

func TestStepsOfALostLedgerAreNoDuplicatesToTheQueue(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	var lose atomic.Bool
	var lost time.Time
	w.working = func(task job.Task) error {
		if task.Step == 40 && lose.CompareAndSwap(false, true) {
			lost = time.Now()
			lay := ledger.Layout{Ref: task.Ref, Params: 2, ChunkLen: 64 << 10, Microbatch: 1, Plan: task.Plan}
			return w.ledger.Delete(t.Context(), lay)
		}
		return nil
	}
	w.coordinate(1)
	w.submit(line("a", 60))
	r := w.ended("a")
	require.Equal(t, job.Succeeded, r.State, r.Error)
	// The coordinator finds this within two seconds. Each of the 40 steps would take 200
	// ms more if the queue took its task for a duplicate of the earlier one.
	require.Less(t, time.Since(lost), 6*time.Second)
}

func TestNextOwnerCountsItsOwnRows(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	goOn := w.halt(100)
	stop := w.coordinate(1)
	w.submit(line("a", 150))
	w.reported("progress", func(e notice.Event) bool { return e.Step == 100 })
	stop()
	goOn()
	w.mu.Lock()
	require.Equal(t, job.Running, w.records["a"].State)
	require.Empty(t, w.leases, "the lease is given back")
	w.mu.Unlock()
	w.coordinate(1)
	o := w.ended("a").Outcome
	rows := o.SamplesPerSecond * o.Seconds
	require.InDelta(t, 5*50, rows, 0.5, "of 750 in all")
}

func TestPoisonEndsTheJobWithItsCause(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.working = func(task job.Task) error {
		if task.Job == "bad" && task.Step == 7 {
			return fmt.Errorf("read block 0: %w", job.ErrPoison)
		}
		return nil
	}
	w.coordinate(1)
	w.submit(line("bad", 30))
	w.submit(line("good", 30))
	r := w.ended("bad")
	require.Equal(t, job.Failed, r.State)
	require.Contains(t, r.Error, "/7/1 on worker w: read block 0")
	require.Equal(t, job.Succeeded, w.ended("good").State)
}

func TestATaskThatNoWorkerSurvivesEndsTheJob(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.working = func(task job.Task) error {
		if task.Step == 5 {
			return errDied
		}
		return nil
	}
	w.coordinate(1)
	w.submit(line("a", 30))
	r := w.ended("a")
	require.Equal(t, job.Failed, r.State)
	require.Regexp(t, `workers took task .* \d+ times, and none came back with a result`, r.Error)
}

// A task published before this coordinator listened may have failed for reasons that it
// never received.
func TestATaskThatWasGivenUpBeforeTheTakeoverIsTriedAgain(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	var down atomic.Bool
	failing := make(chan struct{}, 1<<10)
	w.working = func(task job.Task) error {
		if task.Step == 5 && down.Load() {
			failing <- struct{}{}
			return errDied // no notice of the failure
		}
		return nil
	}
	down.Store(true)
	stop := w.coordinate(1)
	w.submit(line("a", 10))
	<-failing
	stop()
	var given job.Task
	w.mu.Lock()
	r := w.records["a"]
	w.mu.Unlock()
	given = job.Task{Ref: r.Ref(), Plan: r.Plan, Numerics: "n", Kind: job.Gradient, Step: 5, Node: 1}
	down.Store(false)
	w.exhausted <- given
	w.coordinate(1)
	require.Equal(t, job.Succeeded, w.ended("a").State)
}

func TestALostLeaseEndsTheDriverAndTheJobIsTakenAgain(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	goOn := w.halt(20)
	w.coordinate(1)
	w.submit(line("a", 30))
	w.reported("progress", func(e notice.Event) bool { return e.Step == 20 })
	w.change(func() {
		close(w.leases["a"])
		delete(w.leases, "a")
	})
	w.until("the job to be taken again", func() bool { return w.acquired == 2 })
	goOn()
	r := w.ended("a")
	require.Equal(t, job.Succeeded, r.State, r.Error)
}

func TestARemovedRecordIsForgotten(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.change(func() { w.leases["a"] = make(chan struct{}) }) // another coordinator has it
	w.submit(line("a", 10))
	w.coordinate(0)
	w.until("two checks of the job", func() bool { return w.asked > 1 })
	w.change(func() {
		delete(w.records, "a")
		delete(w.leases, "a")
	})
	w.until("a check of the record", func() bool { return w.acquired == 1 && len(w.leases) == 0 })
	w.submit(line("b", 10))
	w.until("a check of the next job", func() bool { return w.leases["b"] != nil })
	w.mu.Lock()
	defer w.mu.Unlock()
	require.Equal(t, 2, w.acquired, "nobody asks for the lease of the first again")
}

// A worker in the middle of a task stores its result after the job's training state was
// deleted.
func TestWhatAStragglerStoresIsSweptAway(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.coordinate(1)
	w.submit(line("a", 3))
	r := w.ended("a")
	lay := ledger.Layout{Ref: r.Ref(), Params: 2, ChunkLen: 64 << 10, Microbatch: 1, Plan: r.Plan}
	_, _, err := w.ledger.Append(t.Context(), lay, ledger.LogWrite{Step: 0, Chunks: []int{0}, Root: ledger.Partial{Gradient: []float32{1, 2}, Sums: ledger.Sums{Examples: 5}}, Before: lay.Genesis()})
	require.NoError(t, err)
	require.Eventually(t, func() bool {
		state, err := w.ledger.State(t.Context(), lay)
		return err == nil && state == ledger.State{}
	}, 20*time.Second, 50*time.Millisecond)
}

func TestOnlyTheChosenJobsAreTaken(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.submit(line("a", 3))
	w.submit(line("b", 3))
	ctx, cancel := context.WithCancel(t.Context())
	s := run.New(run.Config{Owner: "x", Records: w, Leases: w, Queue: w.queue, Ledger: w.ledger, Blobs: w.blobs, Models: models{w}, Events: w, Only: func(id job.ID) bool { return id == "b" }})
	done := make(chan error, 1)
	go func() { done <- s.Run(ctx) }()
	w.reported("b", func(e notice.Event) bool { return e.Job == "b" })
	cancel()
	require.NoError(t, <-done)
	require.Equal(t, job.Submitted, w.records["a"].State)
}
