package executor_test

import (
	"compress/gzip"
	"encoding/json"
	"math"
	"os"
	"testing"

	"github.com/stretchr/testify/require"

	"tributary/shared/executor"
	"tributary/shared/job"
	"tributary/shared/optim"
)

// moduleFixture is the format of the file that testdata/make_modules.py writes.
type moduleFixture struct {
	Batch, Rows, Features int
	X, Y                  vector
	Runs                  []moduleRun
}

type moduleRun struct {
	Name      string
	Layers    []job.Layer
	Optimizer job.Optimizer
	Tensors   []string
	Initial   vector
	Losses    []float64
	Final     vector
}

// With each activation that came later, with group norms, and with penalties on weights, the
// loss of every step equals PyTorch's within 1e-5 relative for 50 steps. The same holds for
// the final weights.
func TestModulesFollowTorch(t *testing.T) {
	f, err := os.Open("testdata/modules.json.gz")
	require.NoError(t, err)
	defer f.Close()
	z, err := gzip.NewReader(f)
	require.NoError(t, err)
	var fixture moduleFixture
	require.NoError(t, json.NewDecoder(z).Decode(&fixture))
	require.Len(t, fixture.Runs, 32)
	for i := range fixture.Runs {
		t.Run(fixture.Runs[i].Name, func(t *testing.T) { fixture.follow(t, &fixture.Runs[i]) })
	}
}

func (f *moduleFixture) follow(t *testing.T, r *moduleRun) {
	s := job.Spec{Model: job.Model{Layers: r.Layers}}
	s.Default()
	n := compile(t, job.MSE, f.Features, s.Model.Layers...)
	var penalties []optim.Penalty
	for i, tensor := range n.Tensors() {
		require.Equal(t, r.Tensors[i], tensor.Name)
		if tensor.Penalty != (job.Regularizer{}) {
			penalties = append(penalties, optim.Penalty{Range: optim.Range{Lo: tensor.Offset, Hi: tensor.Offset + tensor.Len}, Regularizer: tensor.Penalty})
		}
	}
	fold, err := optim.New(r.Optimizer)
	require.NoError(t, err)
	fold = fold.Penalizing(penalties...)
	params, grad := append([]float32(nil), r.Initial...), make([]float32, n.Params())
	require.Len(t, params, n.Params())
	state := make([][]float32, fold.Vectors())
	for i := range state {
		state[i] = make([]float32, n.Params())
	}
	w, at, worst := executor.New(nil), 0, 0.0
	require.Len(t, r.Losses, 50)
	for step, want := range r.Losses {
		end := at + f.Batch
		loss := n.gradient(t, grad, w, params, f.X[at*f.Features:end*f.Features], f.Y[2*at:2*end], f.Batch) / float64(f.Batch)
		require.InEpsilon(t, want, loss, 1e-5, "step %d", step)
		worst = max(worst, math.Abs((loss-want)/want))
		fold.Apply(params, state, int64(step), grad, float32(f.Batch))
		at = end % f.Rows
	}
	for i, want := range r.Final {
		require.InDelta(t, want, params[i], 5e-5, "parameter %d", i)
	}
	t.Logf("greatest relative difference of a loss %.1e", worst)
}
