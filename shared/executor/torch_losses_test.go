package executor_test

import (
	"compress/gzip"
	"encoding/json"
	"fmt"
	"math"
	"os"
	"testing"

	"github.com/stretchr/testify/require"

	"tributary/shared/executor"
	"tributary/shared/job"
	"tributary/shared/objective"
	"tributary/shared/optim"
)

// lossFixture is the format of the file that testdata/make_losses.py writes.
type lossFixture struct {
	Batch, Rows, Features int
	X, Initial            vector
	Labels                map[string]vector
	Layers                []job.Layer
	Runs                  []struct {
		Spec   job.Spec
		Labels string
		Losses []float64
		Final  vector
	}
}

// From the same weights and rows, the loss of every step equals PyTorch's within 1e-5
// relative for 50 steps, for every loss with parameters and every loss over numbers. The
// same holds for the final weights.
func TestLossesFollowTorch(t *testing.T) {
	f, err := os.Open("testdata/losses.json.gz")
	require.NoError(t, err)
	defer f.Close()
	z, err := gzip.NewReader(f)
	require.NoError(t, err)
	var fixture lossFixture
	require.NoError(t, json.NewDecoder(z).Decode(&fixture))
	require.Len(t, fixture.Runs, 16)
	for i := range fixture.Runs {
		s := &fixture.Runs[i].Spec
		name := fmt.Sprintf("%s %v %v %v/%d", s.Loss, s.LossDelta, s.LossQuantile, s.LabelSmoothing, i)
		t.Run(name, func(t *testing.T) { followLoss(t, &fixture, i) })
	}
}

func followLoss(t *testing.T, f *lossFixture, i int) {
	run := f.Runs[i]
	n := compile(t, run.Spec.Loss, f.Features, f.Layers...)
	of, err := objective.For(&run.Spec)
	require.NoError(t, err)
	n.of = of
	fold, err := optim.New(run.Spec.Optimizer)
	require.NoError(t, err)
	params, grad := append([]float32(nil), f.Initial...), make([]float32, n.Params())
	state := make([][]float32, fold.Vectors())
	for i := range state {
		state[i] = make([]float32, n.Params())
	}
	w, y, at, worst := executor.New(nil), f.Labels[run.Labels], 0, 0.0
	targets := len(y) / f.Rows
	require.Len(t, run.Losses, 50)
	for step, want := range run.Losses {
		end := at + f.Batch
		loss := n.gradient(t, grad, w, params, f.X[at*f.Features:end*f.Features], y[at*targets:end*targets], f.Batch) / float64(f.Batch)
		require.InEpsilon(t, want, loss, 1e-5, "step %d", step)
		worst = max(worst, math.Abs((loss-want)/want))
		fold.Apply(params, state, int64(step), grad, float32(f.Batch))
		at = end % f.Rows
	}
	for i, want := range run.Final {
		require.InDelta(t, want, params[i], 1e-5, "parameter %d", i)
	}
	t.Logf("greatest relative difference of a loss %.1e", worst)
}
