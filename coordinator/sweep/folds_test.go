package sweep

import (
	"context"
	"errors"
	"io"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"tributary/shared/job"
	"tributary/shared/spec"
)

const folded = `{"name":"a","data":{"source":"a.csv","label":"y","split":{"k_folds":3,"test":0.1}},"model":{"layers":[{"dense":{"units":1}}]},
	"loss":"mse","metrics":["r2"],"optimizer":{"sgd":{"learning_rate":0.1}},"batch":4,"epochs":1}`

func foldRunner(t *testing.T, train trainer) *runner {
	t.Helper()
	s, err := spec.Decode([]byte(folded))
	require.NoError(t, err)
	r, err := folds(s, t.TempDir())
	require.NoError(t, err)
	r.say, r.parallel, r.train = io.Discard, 2, train
	return r
}

// Each fold has a job, and the summary has the mean and the deviation of each metric.
func TestAJobForEachFold(t *testing.T) {
	r := foldRunner(t, func(_ context.Context, text []byte, dir string) (*job.Outcome, error) {
		s, err := spec.Decode(text)
		if err != nil {
			return nil, err
		}
		n := float64(s.Data.Split.Fold)
		metrics := map[string]float64{"loss": n * n}
		if s.Data.Split.Fold > 1 {
			metrics["r2"] = n
		}
		if string(s.ID) != filepath.Base(dir) || s.Data.Split.KFolds != 3 {
			return nil, errors.New("another job")
		}
		return &job.Outcome{Job: s.ID, Metrics: map[job.Split]map[string]float64{job.Validation: metrics}}, nil
	})
	c, err := r.crossValidate(t.Context())
	require.NoError(t, err)
	require.Equal(t, []float64{1, 4, 9}, c.Metrics[job.Validation]["loss"].Values)
	require.InDelta(t, 14.0/3, c.Metrics[job.Validation]["loss"].Mean, 1e-12)
	require.InDelta(t, 3.2998316455372216, c.Metrics[job.Validation]["loss"].Std, 1e-12) // numpy.std([1, 4, 9])
	var b strings.Builder
	require.NoError(t, c.table(&b))
	require.Contains(t, b.String(), "2.500 ± 0.5000 (2 folds)")
	require.FileExists(t, filepath.Join(r.out, foldsFile))
}

func TestAFoldThatFailsIsNamed(t *testing.T) {
	r := foldRunner(t, func(_ context.Context, text []byte, _ string) (*job.Outcome, error) {
		if strings.Contains(string(text), `"fold":2`) {
			return nil, errors.New("no luck")
		}
		return &job.Outcome{Metrics: map[job.Split]map[string]float64{job.Validation: {"loss": 1}}}, nil
	})
	_, err := r.crossValidate(t.Context())
	require.ErrorContains(t, err, "fold 2: no luck")
}

// A sweep's trials are single jobs.
func TestASweepWantsAFold(t *testing.T) {
	s := decoded(t, `{name: a, spec: `+folded+`, parameters: {seed: [1]}}`)
	_, _, err := s.SpecOf(s.Trial(1), "a-1", 0)
	require.ErrorContains(t, err, "data.split.fold: missing: want 1 to 3")
}
