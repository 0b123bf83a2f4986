package executor_test

import (
	"encoding/json"
	"math"
	"os"
	"testing"

	"github.com/stretchr/testify/require"

	"tributary/shared/executor"
	"tributary/shared/job"
	"tributary/shared/model"
	"tributary/shared/numeric/team"
	"tributary/shared/objective"
	"tributary/shared/optim"
)

// From the same weights and rows, the loss of each of 50 steps of a model with embedded
// categories equals PyTorch's within 1e-5 relative (testdata/make_embeddings.py).
func TestEmbeddedCategoriesFollowTorch(t *testing.T) {
	data, err := os.ReadFile("testdata/embeddings.json")
	require.NoError(t, err)
	var f struct {
		Numbers, Columns, Categories, Units, Batch int
		K                                          [][]int32
		Y                                          []float32
		Cases                                      []struct {
			X       [][]float32
			Names   []string
			Initial []float32
			Losses  []float64
		}
	}
	require.NoError(t, json.Unmarshal(data, &f))
	layers := []job.Layer{{Dense: &job.Dense{Units: 16, Activation: job.ReLU}}, {Dense: &job.Dense{Units: 3}}}
	for _, c := range f.Cases {
		n, err := model.New(job.Model{Layers: layers}, model.Embedded(len(c.X[0]), f.Columns, f.Categories, f.Units)...)
		require.NoError(t, err)
		for i, tensor := range n.Tensors() {
			require.Equal(t, c.Names[i], tensor.Name)
		}
		of, err := objective.Of(job.SoftmaxCrossEntropy)
		require.NoError(t, err)
		fold, err := optim.New(job.Optimizer{AdamW: &job.Adam{LearningRate: 0.01, Beta1: 0.9, Beta2: 0.999, Epsilon: 1e-8, Common: job.Common{WeightDecay: 0.01}}})
		require.NoError(t, err)
		params, state := append([]float32(nil), c.Initial...), [][]float32{make([]float32, n.Params()), make([]float32, n.Params())}
		grad, again := make([]float32, n.Params()), make([]float32, n.Params())
		one, three := executor.New(nil), executor.New(team.New(3))
		three.Limit(1) // slices of the least number of samples
		require.Len(t, c.Losses, 50)
		at := 0
		for step, want := range c.Losses {
			end := min(at+f.Batch, len(f.K))
			b := executor.Batch{Y: f.Y[at:end], Bounds: []int{0, end - at}}
			if len(c.X[0]) > 0 {
				b.X = append(b.X, executor.Field{Float32: c.X[at:end]})
			}
			b.X = append(b.X, executor.Field{Int32: f.K[at:end]})
			m := executor.Model{Network: n, Objective: of, Weights: model.Weights{Trained: params}}
			var loss, lossAgain [1]float64
			require.NoError(t, one.Gradient(grad, loss[:], m, b, executor.Hooks{}))
			require.InEpsilon(t, want, loss[0]/float64(end-at), 1e-5, "step %d", step)
			require.NoError(t, three.Gradient(again, lossAgain[:], m, b, executor.Hooks{}))
			require.Equal(t, grad, again)
			require.Equal(t, loss, lossAgain)
			fold.Apply(params, state, int64(step), grad, float32(end-at))
			at = end % len(f.K)
		}
	}
}

// A category that the model does not know stands for zeros, and no vector gets a gradient
// from it.
func TestAnUnknownCategoryIsZero(t *testing.T) {
	layers := []job.Layer{{Dense: &job.Dense{Units: 1}}}
	n, err := model.New(job.Model{Layers: layers}, model.Embedded(0, 2, 3, 2)...)
	require.NoError(t, err)
	of, err := objective.Of(job.MSE)
	require.NoError(t, err)
	params := []float32{1, 2, 3, 4, 5, 6 /* weights */, 1, 10, 100, 1000 /* bias */, 0.5}
	m := executor.Model{Network: n, Objective: of, Weights: model.Weights{Trained: params}}
	for _, unknown := range []int32{-1, 3, math.MinInt32, math.MaxInt32} {
		x := []executor.Field{{Int32: [][]int32{{1, unknown}}}}
		require.NoError(t, executor.New(nil).Forward(m, x, 1, func(_, _ int, z []float32) error {
			require.Equal(t, []float32{3 + 40 + 0.5}, z)
			return nil
		}))
		grad, loss := make([]float32, n.Params()), make([]float64, 1)
		b := executor.Batch{X: x, Y: []float32{43}, Bounds: []int{0, 1}}
		require.NoError(t, executor.New(nil).Gradient(grad, loss, m, b, executor.Hooks{}))
		require.Equal(t, []float32{0, 0, 1, 10, 0, 0}, grad[:6])
		require.Equal(t, []float32{3, 4, 0, 0, 1}, grad[6:])
	}
}
