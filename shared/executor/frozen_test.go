package executor_test

import (
	"slices"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"tributary/shared/executor"
	"tributary/shared/job"
	"tributary/shared/model"
)

// A network with frozen layers has the same outputs and losses as one that is trained
// completely. Its gradient has only the trained tensors. Frozen parameters are not changed.
func TestFrozenLayers(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		features, rows := rapid.IntRange(1, 20).Draw(t, "features"), rapid.IntRange(1, 80).Draw(t, "rows")
		layers := []job.Layer{layer(rapid.IntRange(1, 20).Draw(t, "a"), job.GELU), unbiased(rapid.IntRange(1, 20).Draw(t, "b"), job.Tanh), layer(5, job.ReLU), layer(2, "")}
		frozen := make([]job.Layer, len(layers))
		free := rapid.IntRange(0, len(layers)-1).Draw(t, "free")
		for i, l := range layers {
			d := *l.Dense
			if i != free {
				trainable := rapid.Bool().Draw(t, "trainable")
				d.Trainable = &trainable
			}
			frozen[i] = job.Layer{Dense: &d}
		}
		all, some := compile(t, job.MSE, features, layers...), compile(t, job.MSE, features, frozen...)
		require.Equal(t, all.Params(), some.Params()+some.Frozen())
		params, weights := random(all.Params(), 1, 1), some.NewWeights()
		for i, tensor := range some.Tensors() {
			copy(weights.Of(tensor), model.Weights{Trained: params}.Of(all.Tensors()[i]))
		}
		before := slices.Clone(weights.Frozen)

		b := executor.Batch{X: rowsOf(random(rows*features, 2, 1), rows, features), Y: labels(job.MSE, rows, 2), Bounds: []int{0, rows / 2, rows}}
		want, got := make([]float32, all.Params()), make([]float32, some.Params())
		wantLosses, gotLosses, final := make([]float64, 2), make([]float64, 2), 0
		require.NoError(t, executor.New(nil).Gradient(want, wantLosses, all.under(params), b, executor.Hooks{}))
		m := executor.Model{Network: some.Network, Objective: some.of, Weights: weights}
		e := executor.New(nil)
		if rapid.Bool().Draw(t, "in slices") {
			e.Limit(1)
		}
		require.NoError(t, e.Gradient(got, gotLosses, m, b, executor.Hooks{Final: func(lo, hi int) { final += hi - lo }}))
		require.Equal(t, wantLosses, gotLosses)
		require.Equal(t, some.Params(), final)
		for i, tensor := range some.Tensors() {
			if !tensor.Frozen {
				require.Equal(t, model.Weights{Trained: want}.Of(all.Tensors()[i]), model.Weights{Trained: got}.Of(tensor), tensor.Name)
			}
		}
		require.Equal(t, before, weights.Frozen)
		require.NoError(t, e.Forward(m, b.X, rows, func(lo, hi int, z []float32) error {
			require.Equal(t, all.forward(t, executor.New(nil), params, random(rows*features, 2, 1), rows)[2*lo:2*hi], z)
			return nil
		}))
	})
}
