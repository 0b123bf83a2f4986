package executor_test

import (
	"encoding/json"
	"os"
	"testing"

	"github.com/stretchr/testify/require"

	"tributary/shared/executor"
	"tributary/shared/job"
	"tributary/shared/optim"
)

// Training with norms, residuals and activations follows PyTorch (testdata/make_layers.py).
func TestLayersFollowTorch(t *testing.T) {
	data, err := os.ReadFile("testdata/layers.json")
	require.NoError(t, err)
	var f struct {
		X        []float32 `json:"x"`
		Y        []float32 `json:"y"`
		Features int       `json:"features"`
		Cases    map[string]struct {
			Layers  []job.Layer `json:"layers"`
			Names   []string    `json:"names"`
			Initial []float32   `json:"initial"`
			Losses  []float64   `json:"losses"`
		} `json:"cases"`
	}
	require.NoError(t, json.Unmarshal(data, &f))
	require.Len(t, f.Cases, 4)
	for name, c := range f.Cases {
		t.Run(name, func(t *testing.T) {
			s := job.Spec{Model: job.Model{Layers: c.Layers}}
			s.Default()
			n := compile(t, job.SoftmaxCrossEntropy, f.Features, s.Model.Layers...)
			for i, tensor := range n.Tensors() {
				require.Equal(t, "layers."+c.Names[i], tensor.Name)
			}
			require.Len(t, c.Initial, n.Params())
			a := job.Adam{LearningRate: 0.01, Beta1: 0.9, Beta2: 0.999, Epsilon: 1e-8, Common: job.Common{WeightDecay: 0.01}}
			fold, err := optim.New(job.Optimizer{AdamW: &a})
			require.NoError(t, err)
			params, grad, e := c.Initial, make([]float32, n.Params()), executor.New(nil)
			state := [][]float32{make([]float32, n.Params()), make([]float32, n.Params())}
			rows := float64(len(f.Y))
			for step, want := range c.Losses {
				loss := n.gradient(t, grad, e, params, f.X, f.Y, len(f.Y))
				require.InEpsilon(t, want, loss/rows, 1e-5, "step %d", step)
				fold.Apply(params, state, int64(step), grad, float32(rows))
			}
		})
	}
}
