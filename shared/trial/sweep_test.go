package trial

import (
	"encoding/json"
	"fmt"
	"os"
	"strings"
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

// decoded reads a sweep and the spec that it names.
func decoded(t *testing.T, text string) *Sweep {
	t.Helper()
	s, err := Decode([]byte(text))
	require.NoError(t, err)
	if s.Job != "" && s.Job != "b" {
		data, err := os.ReadFile(s.Job)
		require.NoError(t, err)
		base, err := spec.Object(data)
		require.NoError(t, err)
		require.NoError(t, s.Bind(base))
	}
	return s
}

func TestDefaults(t *testing.T) {
	s := decoded(t, credit)
	require.Equal(t, Random, s.Search)
	require.Equal(t, job.Max, s.Mode)
	s = decoded(t, "{name: a, job: b, parameters: {seed: [1, 2], batch: [4, 8, 16]}}")
	require.Equal(t, Grid, s.Search)
	require.Equal(t, job.Min, s.Mode)
	require.Len(t, s.All(), 6)
	require.Equal(t, map[string]any{"batch": 4.0, "seed": 2.0}, s.All()[1].Values)
}

func TestFaults(t *testing.T) {
	for want, text := range map[string]string{
		`name: "A b": want 1 to 52 of a-z`:                          `{name: A b, job: x, parameters: {seed: [1]}}`,
		`job: want the path of a job's spec`:                        `{name: a, parameters: {seed: [1]}}`,
		`parameters: 0: want 1 to 32`:                               `{name: a, job: x}`,
		`unknown field "jobs"`:                                      `{name: a, jobs: x}`,
		`search: "bayes": want one of grid, random, halving, folds`: `{name: a, job: x, search: bayes, parameters: {seed: [1]}}`,
		`parameters.seed: a range: want a list with search grid`:    `{name: a, job: x, search: grid, parameters: {seed: {int: [1, 2]}}}`,
		`over 10000 combinations`:                                   `{name: a, job: x, parameters: {a: [1,2,3,4,5,6,7,8,9,10,11], b: [1,2,3,4,5,6,7,8,9,10,11], c: [1,2,3,4,5,6,7,8,9,10,11], d: [1,2,3,4,5,6,7,8,9,10,11]}}`,
		`want a list, or one of {uniform: [a, b]}`:                  `{name: a, job: x, parameters: {seed: {uniform: [2, 1]}}}`,
		`{log_uniform: [a, b]} with a above 0`:                      `{name: a, job: x, parameters: {seed: {log_uniform: [0, 1]}}}`,
		`trials: -1: want 1 to 10000`:                               `{name: a, job: x, search: random, trials: -1, parameters: {seed: [1]}}`,
		`mode: "up": want min or max`:                               `{name: a, job: x, mode: up, parameters: {seed: [1]}}`,
		`halving: epochs 0, factor 1`:                               `{name: a, job: x, search: halving, halving: {factor: 1}, parameters: {seed: [1]}}`,
	} {
		_, err := Decode([]byte(text))
		require.ErrorIs(t, err, job.ErrInvalid, want)
		require.ErrorContains(t, err, want)
	}
}

// The trials follow from the file alone, are within the ranges, and are good specs.
func TestTrials(t *testing.T) {
	s := decoded(t, credit)
	all := s.All()
	require.Len(t, all, 9)
	require.Equal(t, all, decoded(t, credit).All())
	different := map[string]bool{}
	for _, trial := range all {
		rate := trial.Values["optimizer.adam.learning_rate"].(float64)
		require.True(t, rate >= 0.0003 && rate <= 0.03)
		_, made, err := s.SpecOf(trial, s.TrialID(trial.Number-1, 1), 7)
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

// An id says which trial and round it stands for, if it is a trial's.
func TestTheTrialOfAnID(t *testing.T) {
	s := decoded(t, "{name: a-1, search: halving, trials: 1200, job: b, parameters: {seed: [1, 2]}}")
	folds := decoded(t, "name: a-1\nsearch: folds\n"+strings.Replace(small, "split: {train: 0.75, validation: 0.25}", "split: {k_folds: 2}", 1))
	for _, s := range []*Sweep{s, folds} {
		for _, trial := range []int{0, 1, s.Count() - 1} {
			for round := range 3 {
				n, k, ok := s.TrialOf(s.TrialID(trial, round))
				require.True(t, ok)
				require.Equal(t, trial, n)
				require.True(t, k == round || s.Search == EachFold)
			}
		}
		for _, id := range []job.ID{"", "a-1", "a-1-", "a-1-1", "a-1-000", "a-1-1201", "a-1-fold-3", "a-1-001-r1", "a-1-001-r", "a-1-0x1", "b-001", "a-1-001-001", "001", "a-1--01"} {
			_, _, ok := s.TrialOf(id)
			require.False(t, ok, id)
		}
	}
}

func TestSet(t *testing.T) {
	at := func() map[string]any {
		return map[string]any{"a": map[string]any{"b": []any{map[string]any{"c": 1.0}, 2.0}}}
	}
	for path, want := range map[string]string{
		"a.b[0].c": `{"a":{"b":[{"c":9},2]}}`, "a.b[1]": `{"a":{"b":[{"c":1},9]}}`, "x.y": `{"a":{"b":[{"c":1},2]},"x":{"y":9}}`, "a": `{"a":9}`,
	} {
		m := at()
		require.NoError(t, Set(m, path, 9))
		got, err := json.Marshal(m)
		require.NoError(t, err)
		require.Equal(t, want, string(got), path)
	}
	for _, path := range []string{"a.b[2]", "a.b[x]", "a.b[-1]", "a[0]", "a.b.c", "a.b[0", "", "a..b"} {
		require.Error(t, Set(at(), path, 9), path)
	}
}
