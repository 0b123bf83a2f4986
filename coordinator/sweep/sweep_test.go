package sweep

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"tributary/shared/job"
	"tributary/shared/spec"
	"tributary/shared/trial"
)

const credit = `
name: credit-sweep
job: ../../deployments/jobs/credit.yaml
trials: 9
seed: 3
monitor: auc
parameters:
  optimizer.adam.learning_rate: {log_uniform: [0.0003, 0.03]}
  model.layers[0].dense.units: [16, 32, 64]
  seed: {int: [1, 5]}
`

func decoded(t *testing.T, text string) *trial.Sweep {
	t.Helper()
	s, err := trial.Decode([]byte(text))
	require.NoError(t, err)
	from, err := base(s)
	require.NoError(t, err)
	require.NoError(t, s.Bind(from))
	return s
}

// fake trains nothing: the figure of a job follows from its learning rate and its epochs.
type fake struct {
	t      *testing.T
	mu     sync.Mutex
	epochs map[int]int // jobs by epochs
	fail   func(*job.Spec) error
}

func (f *fake) train(ctx context.Context, text []byte, dir string) (*job.Outcome, error) {
	s, err := spec.Decode(text)
	require.NoError(f.t, err)
	f.mu.Lock()
	f.epochs[s.Epochs]++
	f.mu.Unlock()
	if f.fail != nil {
		if err := f.fail(s); err != nil {
			return nil, err
		}
	}
	require.NoError(f.t, os.MkdirAll(dir, 0o755))
	require.NoError(f.t, os.WriteFile(filepath.Join(dir, "model.txt"), []byte(s.ID), 0o600))
	auc := 1 - s.Optimizer.Adam.LearningRate - 1/float64(10+s.Epochs)
	return &job.Outcome{Steps: int64(s.Epochs), Metrics: map[job.Split]map[string]float64{job.Validation: {"auc": auc}, job.Test: {"auc": 0.5}}}, ctx.Err()
}

func sweep(t *testing.T, text string, f *fake) (*Outcome, []*trial.Trial, error) {
	t.Helper()
	s := decoded(t, text)
	dir := t.TempDir()
	r := &runner{noun: trialNoun, Sweep: s, out: dir, parallel: 3, say: io.Discard, train: f.train}
	o, err := r.run(t.Context())
	if err != nil {
		return nil, nil, err
	}
	data, err := os.ReadFile(filepath.Join(dir, trialsFile))
	require.NoError(t, err)
	var all []*trial.Trial
	require.NoError(t, json.Unmarshal(data, &all))
	for _, name := range []string{svgFile, pngFile, "best/model.txt"} {
		require.FileExists(t, filepath.Join(dir, name))
	}
	return o, all, nil
}

func TestTheBestTrialIsNamed(t *testing.T) {
	f := &fake{t: t, epochs: map[int]int{}}
	o, all, err := sweep(t, credit, f)
	require.NoError(t, err)
	require.Len(t, all, 9)
	require.Equal(t, map[int]int{30: 9}, f.epochs)
	for _, one := range all {
		require.LessOrEqual(t, *one.Value, *o.Best.Value)
		require.Equal(t, filepath.Base(one.Out), fmt.Sprintf("credit-sweep-%03d", one.Number))
	}
	model, err := os.ReadFile(filepath.Join(o.Out, "model.txt"))
	require.NoError(t, err)
	require.Equal(t, fmt.Sprintf("credit-sweep-%03d", o.Best.Number), string(model))
}

// Each round of halving keeps the best third for three times the epochs.
func TestHalving(t *testing.T) {
	f := &fake{t: t, epochs: map[int]int{}}
	o, all, err := sweep(t, credit+"search: halving\nhalving: {epochs: 4}\n", f)
	require.NoError(t, err)
	require.Equal(t, map[int]int{4: 9, 12: 3, 30: 1}, f.epochs)
	require.Equal(t, 30, o.Best.Epochs)
	for _, one := range all {
		require.GreaterOrEqual(t, one.Values["optimizer.adam.learning_rate"], o.Best.Values["optimizer.adam.learning_rate"])
	}
	require.Equal(t, []int{1, 3, 9, 27, 30}, decoded(t, credit+"search: halving\n").Epochs(30))
}

// A failed trial is reported and does not end the sweep, unless all of them fail.
func TestFailedTrials(t *testing.T) {
	f := &fake{t: t, epochs: map[int]int{}, fail: func(s *job.Spec) error {
		if s.ID == "credit-sweep-002" {
			return errors.New("diverged")
		}
		return nil
	}}
	o, all, err := sweep(t, credit, f)
	require.NoError(t, err)
	require.Equal(t, 1, o.Failed)
	require.Equal(t, "diverged", all[1].Error)
	require.Nil(t, all[1].Value)
	f.fail = func(*job.Spec) error { return errors.New("diverged") }
	_, _, err = sweep(t, credit, f)
	require.ErrorContains(t, err, "no trial has the figure auc of the validation split; the first: diverged")
}

func TestAJobThatCannotBeCompared(t *testing.T) {
	for want, text := range map[string]string{
		`monitor: "r2": want loss, or one of the job's metrics`:                                 `{name: a, job: ../../deployments/jobs/credit.yaml, monitor: r2, parameters: {seed: [1]}}`,
		`parameters.model.layers[7].dense.units: model.layers[7]: the spec has no such element`: `{name: a, job: ../../deployments/jobs/credit.yaml, parameters: {"model.layers[7].dense.units": [1]}}`,
		`want data.split.validation above 0`:                                                    `{name: a, job: ../../deployments/jobs/line.json, parameters: {seed: [1]}}`,
		`batch: -4`:                                                                             `{name: a, job: ../../deployments/jobs/credit.yaml, parameters: {batch: [-4]}}`,
	} {
		_, _, err := sweep(t, text, &fake{t: t, epochs: map[int]int{}})
		require.ErrorIs(t, err, job.ErrInvalid)
		require.ErrorContains(t, err, want)
	}
}
