package search

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/rs/zerolog"
	"github.com/stretchr/testify/require"

	"tributary/coordinator/run"
	"tributary/shared/broker"
	"tributary/shared/job"
	"tributary/shared/spec"
	"tributary/shared/trial"
)

var errDead = errors.New("the coordinator is dead")

// world has the records of sweeps and jobs, and a fleet that ends a job when it is read for
// the second time. Each call of a coordinator counts; the coordinator dies before or after
// the call number dies.
type world struct {
	t     *testing.T
	mu    sync.Mutex
	sweep *trial.Record // nil: removed
	at    uint64
	jobs  map[job.ID]*job.Record
	reads map[job.ID]int
	most  int // jobs that ran at a time
	calls int
	dies  int
	after bool // the call is made, but its answer is lost

	submits func(job.ID)         // called when a job was submitted
	fails   func(*job.Spec) bool // nil: every fifth seed
}

func (w *world) call(do func() error) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.calls++
	switch {
	case w.dies > 0 && w.calls == w.dies && w.after:
		_ = do()
		return errDead
	case w.dies > 0 && w.calls >= w.dies:
		return errDead
	}
	return do()
}

type sweeps struct{ *world }

func (s sweeps) Get(_ context.Context, id job.ID) (r trial.Record, revision uint64, err error) {
	err = s.call(func() error {
		if s.sweep == nil || s.sweep.ID != id {
			return job.ErrNotFound
		}
		data, err := json.Marshal(s.sweep)
		revision = s.at
		return errors.Join(err, json.Unmarshal(data, &r))
	})
	return r, revision, err
}

func (s sweeps) Update(_ context.Context, r trial.Record, revision uint64) error {
	return s.call(func() error {
		if s.sweep == nil || revision != s.at {
			return job.ErrConflict
		}
		s.sweep, s.at = &r, s.at+1
		return nil
	})
}

func (s sweeps) Delete(_ context.Context, _ job.ID, revision uint64) error {
	return s.call(func() error {
		if revision == s.at {
			s.sweep = nil
		}
		return nil
	})
}

func (s sweeps) Changed(_ context.Context, m broker.SweepMark, see func(trial.Record)) (broker.SweepMark, error) {
	return m, s.call(func() error {
		if s.sweep != nil {
			see(*s.sweep)
		}
		return nil
	})
}

type jobs struct{ *world }

func (j jobs) Submit(_ context.Context, text []byte) error {
	return j.call(func() error {
		s, err := spec.Decode(text)
		if err != nil {
			return err
		}
		_, digest, err := spec.Canonical(s)
		require.NoError(j.t, err)
		if known := j.jobs[s.ID]; known != nil {
			if known.SpecDigest != digest {
				return fmt.Errorf("id %s: another spec: %w", s.ID, job.ErrConflict)
			}
			return nil
		}
		require.Contains(j.t, s.Tags, "sweep="+s.Name)
		j.jobs[s.ID] = &job.Record{ID: s.ID, Name: s.Name, State: job.Running, SpecDigest: digest, Spec: text}
		active := 0
		for _, r := range j.jobs {
			if !r.State.Final() {
				active++
			}
		}
		j.most = max(j.most, active)
		if j.submits != nil {
			j.submits(s.ID)
		}
		return nil
	})
}

func (j jobs) Get(_ context.Context, id job.ID) (r job.Record, err error) {
	err = j.call(func() error {
		known := j.jobs[id]
		if known == nil {
			return job.ErrNotFound
		}
		if j.reads[id]++; j.reads[id] == 2 && !known.State.Final() {
			s, err := spec.Decode(known.Spec)
			require.NoError(j.t, err)
			v := float64(s.Seed*37%101) - float64(s.Epochs)
			known.State, known.Outcome = job.Succeeded, &job.Outcome{ParametersSHA256: "d", Metrics: map[job.Split]map[string]float64{job.Validation: {"loss": v}}}
			if j.fails == nil && s.Seed%5 == 4 || j.fails != nil && j.fails(s) {
				known.State, known.Outcome, known.Error = job.Failed, nil, "diverged"
			}
		}
		r = *known
		return nil
	})
	return r, err
}

func (j jobs) Cancel(_ context.Context, id job.ID) error {
	return j.call(func() error {
		if r := j.jobs[id]; !r.State.Final() {
			r.State = job.Cancelled
		}
		return nil
	})
}

const halving = `name: s
search: halving
trials: 9
parallel: 3
parameters: {seed: {int: [1, 99]}}
` + base

const base = `spec: {name: x, data: {inline: {x: [1, 2, 3, 4], y: [1, 2, 3, 4]}, split: {train: 0.75, validation: 0.25}}, model: {layers: [{dense: {units: 1}}]},
  loss: mse, optimizer: {sgd: {learning_rate: 0.1}}, batch: 1, epochs: 9}
`

func newWorld(t *testing.T, text string) *world {
	t.Helper()
	s, err := trial.Decode([]byte(text))
	require.NoError(t, err)
	r, err := trial.NewRecord(s, 9, time.Unix(0, 0))
	require.NoError(t, err)
	return &world{t: t, sweep: &r, at: 1, jobs: map[job.ID]*job.Record{}, reads: map[job.ID]int{}}
}

func (w *world) runner() *Runner {
	return New(Config{Sweeps: sweeps{w}, Jobs: jobs{w}, Leases: leases{w}, Log: zerolog.Nop(), Every: time.Millisecond, Retain: time.Hour})
}

type leases struct{ *world }

func (l leases) Acquire(_ context.Context, _, owner string) (run.Lease, error) { return lease{}, nil }

type lease struct{}

func (lease) Term() uint64                  { return 1 }
func (lease) Lost() <-chan struct{}         { return nil }
func (lease) Release(context.Context) error { return nil }

// rounds works until the sweep is settled, or the coordinator is dead.
func (w *world) rounds(ctx context.Context, r *Runner) {
	for range 1000 {
		r.look(ctx)
		if len(r.open) == 0 || w.dies > 0 && w.calls >= w.dies {
			return
		}
		r.round(ctx)
	}
	require.Fail(w.t, "the sweep does not end")
}

// A coordinator that dies before or after any of its calls changes no result.
func TestACoordinatorMayDieAtAnyMoment(t *testing.T) {
	w := newWorld(t, halving)
	w.rounds(t.Context(), w.runner())
	want, calls := w.sweep, w.calls
	require.Equal(t, trial.Succeeded, want.State, want.Error)
	require.NotEmpty(t, want.Rounds[0].Failed)
	require.Len(t, w.jobs, 13)
	require.Equal(t, 3, w.most)
	for k := 1; k <= calls; k++ {
		for _, after := range []bool{false, true} {
			w := newWorld(t, halving)
			w.dies, w.after = k, after
			w.rounds(t.Context(), w.runner())
			w.dies = 0
			w.rounds(t.Context(), w.runner())
			w.sweep.Finished = want.Finished
			require.Equal(t, want, w.sweep, "death at call %d", k)
			require.Len(t, w.jobs, 13)
			require.LessOrEqual(t, w.most, 3)
		}
	}
}

// All jobs of a cancelled sweep end, even if a coordinator dies at any call.
func TestACancelledSweepLeavesNoJob(t *testing.T) {
	for k := range 40 {
		w := newWorld(t, halving)
		w.dies, w.after = 20, true
		w.rounds(t.Context(), w.runner())
		w.dies, w.calls = k, 0
		_, err := w.sweep.Cancel(time.Unix(1, 0))
		require.NoError(t, err)
		w.at++
		w.rounds(t.Context(), w.runner())
		w.dies = 0
		w.rounds(t.Context(), w.runner())
		require.True(t, w.sweep.Settled)
		require.NotEmpty(t, w.jobs)
		for id, r := range w.jobs {
			require.True(t, r.State.Final(), id)
		}
	}
}

// A coordinator that lost the lease while it submitted jobs cancels them if the other one has
// settled the sweep, even if it also has results to record.
func TestJobsOfASettledSweep(t *testing.T) {
	for _, read := range []int{0, 1} {
		w := newWorld(t, "name: s\nparallel: 2\nparameters: {seed: [1, 2, 3]}\n"+base)
		ctx, lost := context.WithCancel(t.Context())
		w.reads["s-001"] = read // 1: it ends as soon as it is submitted
		w.reads["s-002"] = -9   // it does not end
		w.submits = func(id job.ID) {
			if id == "s-002" {
				w.sweep.State, w.sweep.Settled = trial.Cancelled, true
				w.at++
				lost()
			}
		}
		r := w.runner()
		r.look(ctx)
		r.round(ctx)
		require.Len(t, w.jobs, 2)
		for id, r := range w.jobs {
			require.True(t, r.State.Final(), id)
		}
		require.Equal(t, job.Cancelled, w.jobs["s-002"].State)
		lost()
	}
}

// If the trial of the last round fails, the best one is of an earlier round, and its metrics
// and digest are read from its job.
func TestTheBestOfAnEarlierRound(t *testing.T) {
	for _, removed := range []bool{false, true} {
		w := newWorld(t, halving)
		w.fails = func(s *job.Spec) bool { return s.Epochs == 9 }
		w.submits = func(job.ID) {
			if removed && len(w.jobs) == 13 {
				clear(w.jobs)
			}
		}
		w.rounds(t.Context(), w.runner())
		best := w.sweep.Best
		require.Equal(t, trial.Succeeded, w.sweep.State)
		require.Equal(t, 3, best.Epochs)
		require.NotEmpty(t, w.sweep.Rounds[2].Failed)
		if removed {
			require.Empty(t, best.ParametersSHA256)
			continue
		}
		require.EqualValues(t, "d", best.ParametersSHA256)
		require.Equal(t, w.jobs[best.Job].Outcome.Metrics, best.Metrics)
		require.NotEmpty(t, best.Metrics)
	}
}

// Another job of a trial's id fails that trial alone, and a bad combination does too.
func TestATrialThatCannotBeSubmitted(t *testing.T) {
	w := newWorld(t, "name: s\nparameters: {seed: [1, 2, 3], batch: [1, -1]}\n"+halving[len("name: s\nsearch: halving\ntrials: 9\nparallel: 3\nparameters: {seed: {int: [1, 99]}}\n"):])
	w.jobs["s-002"] = &job.Record{ID: "s-002", State: job.Running, SpecDigest: "other"}
	w.rounds(t.Context(), w.runner())
	require.Equal(t, trial.Succeeded, w.sweep.State)
	require.Contains(t, w.sweep.Rounds[0].Failed[2], "another spec")
	require.Contains(t, w.sweep.Rounds[0].Failed[4], "batch: -1")
	require.Len(t, w.sweep.Rounds[0].Failed, 4)
	require.Equal(t, job.Running, w.jobs["s-002"].State)
}

// Run ends with its context, and removes the records of old sweeps.
func TestOldSweepsAreRemoved(t *testing.T) {
	w := newWorld(t, halving)
	done := time.Unix(5, 0)
	w.sweep.State, w.sweep.Settled, w.sweep.Finished = trial.Succeeded, true, &done
	r := w.runner()
	r.look(t.Context())
	require.True(t, r.expired(time.Now()))
	r.round(t.Context())
	require.Nil(t, w.sweep)
	require.False(t, r.expired(time.Now()))
	ctx, stop := context.WithCancel(t.Context())
	stop()
	r.Run(ctx)
}
