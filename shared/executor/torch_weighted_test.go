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

// weightedFixture is the format of the file that testdata/make_weighted.py writes.
type weightedFixture struct {
	Batch, Rows, Features int
	X, Weights            vector
	Labels                map[string]vector
	Runs                  []weightedRun
}

type weightedRun struct {
	Spec     job.Spec
	Labels   string
	Classes  []float64
	Weighted bool
	Layers   []job.Layer
	Initial  vector
	Losses   []float64
	Final    vector
}

// With weights of classes and of rows, and with the focal loss, the loss of every step
// equals PyTorch's within 1e-5 relative for 50 steps. The same holds for the final weights.
func TestWeightedLossesFollowTorch(t *testing.T) {
	f, err := os.Open("testdata/weighted.json.gz")
	require.NoError(t, err)
	defer f.Close()
	z, err := gzip.NewReader(f)
	require.NoError(t, err)
	var fixture weightedFixture
	require.NoError(t, json.NewDecoder(z).Decode(&fixture))
	require.Len(t, fixture.Runs, 26)
	for i := range fixture.Runs {
		r := &fixture.Runs[i]
		t.Run(fmt.Sprintf("%s %v %v %v/%d", r.Spec.Loss, r.Spec.FocalGamma, r.Classes, r.Weighted, i), func(t *testing.T) { fixture.follow(t, r) })
	}
}

// targets returns the labels of a run, each row with its weight if it has one.
func (f *weightedFixture) targets(r *weightedRun) (y []float32, width int) {
	labels := f.Labels[r.Labels]
	width = len(labels) / f.Rows
	if !r.Weighted {
		return labels, width
	}
	for i, w := range f.Weights {
		y = append(append(y, labels[i*width:(i+1)*width]...), w)
	}
	return y, width + 1
}

func (f *weightedFixture) follow(t *testing.T, r *weightedRun) {
	n := compile(t, r.Spec.Loss, f.Features, r.Layers...)
	y, targets := f.targets(r)
	of, err := objective.For(&r.Spec)
	require.NoError(t, err)
	if r.Weighted || r.Classes != nil {
		plain := of.Targets(n.Outputs())
		of, err = objective.Weigh(of, objective.Weights{Classes: r.Classes, Samples: r.Weighted, Greatest: 100}, 1, plain)
		require.NoError(t, err)
	}
	n.of = of
	fold, err := optim.New(r.Spec.Optimizer)
	require.NoError(t, err)
	params, grad := append([]float32(nil), r.Initial...), make([]float32, n.Params())
	state := make([][]float32, fold.Vectors())
	for i := range state {
		state[i] = make([]float32, n.Params())
	}
	w, at, worst := executor.New(nil), 0, 0.0
	require.Len(t, r.Losses, 50)
	for step, want := range r.Losses {
		end := at + f.Batch
		part := y[at*targets : end*targets]
		sum, weighted := of.Units(part)
		if !weighted {
			sum = int64(f.Batch)
		}
		loss := of.Mean(n.gradient(t, grad, w, params, f.X[at*f.Features:end*f.Features], part, f.Batch), sum)
		require.InEpsilon(t, want, loss, 1e-5, "step %d", step)
		worst = max(worst, math.Abs((loss-want)/want))
		fold.Apply(params, state, int64(step), grad, of.Divisor(sum))
		at = end % f.Rows
	}
	for i, want := range r.Final {
		require.InDelta(t, want, params[i], 2e-5, "parameter %d", i)
	}
	t.Logf("greatest relative difference of a loss %.1e", worst)
}
