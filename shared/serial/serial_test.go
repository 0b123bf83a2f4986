package serial_test

import (
	"context"
	"math"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"tributary/shared/dataset"
	"tributary/shared/gradient"
	"tributary/shared/gradient/gradienttest"
	"tributary/shared/job"
	"tributary/shared/serial"
)

// linear is least squares by plain gradient descent. Its steps can be written in closed
// form.
const linear = `
name: linear
data: {source: none.csv, label: y}
model: {layers: [{dense: {units: 1}}]}
loss: mse
optimizer: {sgd: {learning_rate: 0.05}}
batch: 16
microbatches: 4
epochs: 20
seed: 3
metrics: [rmse, mae, r2]
`

func changed(t *testing.T, text, old, with string) string {
	t.Helper()
	require.Contains(t, text, old)
	return strings.Replace(text, old, with, 1)
}

func train(t *testing.T, j gradienttest.Job) *serial.Result {
	t.Helper()
	e, _ := j.Engine(t)
	r, err := serial.Train(t.Context(), e)
	require.NoError(t, err)
	return r
}

// The twin computes in float64 and knows only the rows of every batch.
func TestLinearRegressionStepByStep(t *testing.T) {
	e, store := gradienttest.Job{Spec: linear}.Engine(t)
	blocks := dataset.NewCache(store, 1<<20)
	refs := e.Plan.Dataset.Splits[job.Train]
	initial := make([]float32, e.Network.Params())
	e.Initial(initial)
	theta := make([]float64, len(initial)) // weights, then the bias
	for i, p := range initial {
		theta[i] = float64(p)
	}
	got := train(t, gradienttest.Job{Spec: linear})
	require.Len(t, got.Losses, 80)
	for step := range e.Plan.Steps() {
		epoch, lo, hi := e.Plan.Batch(step)
		loss, grad := 0.0, make([]float64, len(theta))
		for _, r := range dataset.NewOrder(refs, e.Plan.Spec.Seed, epoch, true).Rows(nil, lo, hi) {
			b, err := blocks.Get(t.Context(), refs[r.Block])
			require.NoError(t, err)
			x := b.X[int(r.Row)*gradienttest.Features:][:gradienttest.Features]
			residual := theta[len(x)] - float64(b.Y[r.Row])
			for i := range x {
				residual += theta[i] * float64(x[i])
			}
			loss += residual * residual
			for i := range x {
				grad[i] += 2 * residual * float64(x[i])
			}
			grad[len(x)] += 2 * residual
		}
		require.InEpsilon(t, loss/float64(hi-lo), got.Losses[step], 1e-5, "step %d", step)
		for i := range theta {
			theta[i] -= 0.05 * grad[i] / float64(hi-lo)
		}
	}
	for i, p := range got.Params {
		require.InDelta(t, theta[i], p, 1e-5)
	}
	// The final figures are computed with the final parameters.
	for split, m := range got.Metrics {
		require.InEpsilon(t, m["rmse"]*m["rmse"], m["loss"], 1e-6, "%s", split)
		require.Less(t, m["mae"], m["rmse"])
	}
	require.Len(t, got.Metrics, 2, "the splits there are")
	require.Greater(t, got.Metrics[job.Train]["r2"], 0.0, "better than the mean, though the rows are no line")
}

// The same job gives the same bits. Another number of micro-batches only changes the order
// of sums.
func TestMicrobatchesChangeOnlyTheOrderOfSums(t *testing.T) {
	want := train(t, gradienttest.Job{})
	require.Equal(t, want, train(t, gradienttest.Job{}))
	for _, m := range []string{"1", "3", "16"} {
		got := train(t, gradienttest.Job{Spec: changed(t, gradienttest.Regression, "microbatches: 4", "microbatches: "+m)})
		for i := range want.Params {
			require.InDelta(t, want.Params[i], got.Params[i], 1e-4, "%s micro-batches", m)
		}
	}
}

// The block boundaries of the rows do not change the result if the rows keep the order of
// the file.
func TestBlocksDoNotAffectTheResult(t *testing.T) {
	text := changed(t, gradienttest.Regression, "label: y", "label: y, shuffle: false")
	want := train(t, gradienttest.Job{Spec: text, Block: 50})
	for _, block := range []int{1, 7, 49} {
		got := train(t, gradienttest.Job{Spec: text, Block: block})
		require.Equal(t, want.Params, got.Params)
		require.Equal(t, want.Losses, got.Losses)
	}
}

// The last batch of an epoch of 50 rows has 2 rows, so some micro-batches are empty.
// drop_last skips this batch.
func TestShortBatches(t *testing.T) {
	text := changed(t, gradienttest.Regression, "microbatches: 4", "microbatches: 16")
	r := train(t, gradienttest.Job{Spec: text})
	require.Len(t, r.Losses, 16)
	require.False(t, math.IsNaN(r.Losses[3]))
	dropped := train(t, gradienttest.Job{Spec: changed(t, text, "epochs: 4", "epochs: 4\ndrop_last: true")})
	require.Len(t, dropped.Losses, 12)
	require.Equal(t, r.Losses[:3], dropped.Losses[:3])
}

// A loss that is a sum is n times a mean. Its gradient is n times as large, and here half
// of that. The rate must therefore be 2/n of the mean's rate for the same steps.
func TestASumIsNMeans(t *testing.T) {
	mean := changed(t, changed(t, gradienttest.Regression, "batch: 16", "batch: 50"), "momentum: 0.9", "momentum: 0.5")
	sum := changed(t, changed(t, mean, "loss: mse", "loss: half_squared_error"), "learning_rate: 0.05", "learning_rate: 0.002")
	a, b := train(t, gradienttest.Job{Spec: mean}), train(t, gradienttest.Job{Spec: sum})
	for i := range a.Params {
		require.InDelta(t, a.Params[i], b.Params[i], 1e-5)
	}
	for i := range a.Losses {
		require.InEpsilon(t, a.Losses[i]*50/2, b.Losses[i], 1e-5)
	}
}

func TestAStopAndALostBlockEndIt(t *testing.T) {
	e, store := gradienttest.Job{}.Engine(t)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err := serial.Train(ctx, e)
	require.ErrorIs(t, err, context.Canceled)

	require.NoError(t, store.Delete(t.Context(), e.Plan.Dataset.Splits[job.Validation][1].Digest))
	_, err = serial.Train(t.Context(), e)
	require.ErrorIs(t, err, job.ErrNotFound)
	require.ErrorContains(t, err, "evaluate the validation split: read block 1")
	require.NoError(t, store.Delete(t.Context(), e.Plan.Dataset.Splits[job.Train][1].Digest))
	e, err = gradient.Compile(t.Context(), e.Plan, store, dataset.NewCache(store, 0))
	require.NoError(t, err)
	_, err = serial.Train(t.Context(), e)
	require.ErrorIs(t, err, job.ErrNotFound)
	require.ErrorContains(t, err, "read block 1 of the train split")
}
