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

func decoded(t *testing.T, text string) *Sweep {
	t.Helper()
	s, err := Decode([]byte(text))
	require.NoError(t, err)
	return s
}

func TestDefaults(t *testing.T) {
	s := decoded(t, credit)
	require.Equal(t, Random, s.Search)
	require.Equal(t, job.Max, s.Mode)
	s = decoded(t, "{name: a, job: b, parameters: {seed: [1, 2], batch: [4, 8, 16]}}")
	require.Equal(t, Grid, s.Search)
	require.Equal(t, job.Min, s.Mode)
	require.Len(t, s.trials(), 6)
	require.Equal(t, map[string]any{"batch": 4.0, "seed": 2.0}, s.trials()[1].Values)
}

func TestFaults(t *testing.T) {
	for want, text := range map[string]string{
		`name: "A b": want 1 to 52 of a-z`:                       `{name: A b, job: x, parameters: {seed: [1]}}`,
		`job: want the path of a job's spec`:                     `{name: a, parameters: {seed: [1]}}`,
		`parameters: 0: want 1 to 32`:                            `{name: a, job: x}`,
		`unknown field "jobs"`:                                   `{name: a, jobs: x}`,
		`search: "bayes": want one of grid, random, halving`:     `{name: a, job: x, search: bayes, parameters: {seed: [1]}}`,
		`parameters.seed: a range: want a list with search grid`: `{name: a, job: x, search: grid, parameters: {seed: {int: [1, 2]}}}`,
		`over 10000 combinations`:                                `{name: a, job: x, parameters: {a: [1,2,3,4,5,6,7,8,9,10,11], b: [1,2,3,4,5,6,7,8,9,10,11], c: [1,2,3,4,5,6,7,8,9,10,11], d: [1,2,3,4,5,6,7,8,9,10,11]}}`,
		`want a list, or one of {uniform: [a, b]}`:               `{name: a, job: x, parameters: {seed: {uniform: [2, 1]}}}`,
		`{log_uniform: [a, b]} with a above 0`:                   `{name: a, job: x, parameters: {seed: {log_uniform: [0, 1]}}}`,
		`trials: -1: want 1 to 10000`:                            `{name: a, job: x, search: random, trials: -1, parameters: {seed: [1]}}`,
		`mode: "up": want min or max`:                            `{name: a, job: x, mode: up, parameters: {seed: [1]}}`,
		`halving: epochs 0, factor 1`:                            `{name: a, job: x, search: halving, halving: {factor: 1}, parameters: {seed: [1]}}`,
	} {
		_, err := Decode([]byte(text))
		require.ErrorIs(t, err, job.ErrInvalid, want)
		require.ErrorContains(t, err, want)
	}
}

// The trials follow from the file alone, are within the ranges, and are good specs.
func TestTrials(t *testing.T) {
	s := decoded(t, credit)
	base, err := s.base()
	require.NoError(t, err)
	all := s.trials()
	require.Len(t, all, 9)
	require.Equal(t, all, decoded(t, credit).trials())
	different := map[string]bool{}
	for _, trial := range all {
		rate := trial.Values["optimizer.adam.learning_rate"].(float64)
		require.True(t, rate >= 0.0003 && rate <= 0.03)
		_, made, err := s.specOf(base, trial, s.trialID(trial.Number-1, 1), 7)
		require.NoError(t, err)
		require.Equal(t, rate, made.Optimizer.Adam.LearningRate)
		require.EqualValues(t, trial.Values["model.layers[0].dense.units"], made.Model.Layers[0].Dense.Units)
		require.EqualValues(t, trial.Values["seed"], made.Seed)
		require.Equal(t, 7, made.Epochs)
		require.EqualValues(t, fmt.Sprintf("credit-sweep-%03d-r2", trial.Number), made.ID)
		different[fmt.Sprint(trial.Values)] = true
	}
	require.Len(t, different, 9)
}

func TestSet(t *testing.T) {
	at := func() map[string]any {
		return map[string]any{"a": map[string]any{"b": []any{map[string]any{"c": 1.0}, 2.0}}}
	}
	for path, want := range map[string]string{
		"a.b[0].c": `{"a":{"b":[{"c":9},2]}}`, "a.b[1]": `{"a":{"b":[{"c":1},9]}}`, "x.y": `{"a":{"b":[{"c":1},2]},"x":{"y":9}}`, "a": `{"a":9}`,
	} {
		m := at()
		require.NoError(t, set(m, path, 9))
		got, err := json.Marshal(m)
		require.NoError(t, err)
		require.Equal(t, want, string(got), path)
	}
	for _, path := range []string{"a.b[2]", "a.b[x]", "a.b[-1]", "a[0]", "a.b.c", "a.b[0", "", "a..b"} {
		require.Error(t, set(at(), path, 9), path)
	}
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

func sweep(t *testing.T, text string, f *fake) (*Outcome, []*Trial, error) {
	t.Helper()
	s := decoded(t, text)
	base, err := s.base()
	require.NoError(t, err)
	dir := t.TempDir()
	r := &runner{noun: trialNoun, Sweep: s, base: base, out: dir, parallel: 3, say: io.Discard, train: f.train}
	o, err := r.run(t.Context())
	if err != nil {
		return nil, nil, err
	}
	data, err := os.ReadFile(filepath.Join(dir, trialsFile))
	require.NoError(t, err)
	var all []*Trial
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
	for _, trial := range all {
		require.LessOrEqual(t, *trial.Value, *o.Best.Value)
		require.Equal(t, filepath.Base(trial.Out), fmt.Sprintf("credit-sweep-%03d", trial.Number))
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
	for _, trial := range all {
		require.GreaterOrEqual(t, trial.Values["optimizer.adam.learning_rate"], o.Best.Values["optimizer.adam.learning_rate"])
	}
	require.Equal(t, []int{1, 3, 9, 27, 30}, decoded(t, credit+"search: halving\n").rounds(30))
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
