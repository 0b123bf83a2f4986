package executor_test

import (
	"compress/gzip"
	"encoding/json"
	"os"
	"testing"

	"github.com/stretchr/testify/require"

	"tributary/shared/executor"
	"tributary/shared/job"
	"tributary/shared/model"
	"tributary/shared/numeric"
	"tributary/shared/optim"
)

// batchNormRun is a run of the file that testdata/make_batchnorm.py writes. Tensors are by
// name.
type batchNormRun struct {
	Name           string
	Layers         []job.Layer
	Optimizer      job.Optimizer
	Initial, Final map[string]vector
	Losses         []float64
	Answers        vector // to all rows, after the last step
}

// With batch normalisation, the loss of every step equals PyTorch's within 1e-5 relative for
// 50 steps. The parameters, the running statistics and the answers after them are PyTorch's.
func TestBatchNormFollowsTorch(t *testing.T) {
	f, err := os.Open("testdata/batchnorm.json.gz")
	require.NoError(t, err)
	defer f.Close()
	z, err := gzip.NewReader(f)
	require.NoError(t, err)
	var fixture struct {
		moduleFixture
		Runs []batchNormRun
	}
	require.NoError(t, json.NewDecoder(z).Decode(&fixture))
	require.Len(t, fixture.Runs, 10)
	for i := range fixture.Runs {
		t.Run(fixture.Runs[i].Name, func(t *testing.T) { fixture.Runs[i].follow(t, &fixture.moduleFixture) })
	}
}

func (r *batchNormRun) follow(t *testing.T, f *moduleFixture) {
	s := job.Spec{Model: job.Model{Layers: r.Layers}}
	s.Default()
	n := compile(t, job.MSE, f.Features, s.Model.Layers...)
	weights := n.NewWeights()
	require.Len(t, n.Tensors(), len(r.Initial))
	for _, tensor := range n.Tensors() {
		require.Len(t, r.Initial[tensor.Name], copy(weights.Of(tensor), r.Initial[tensor.Name]), tensor.Name)
	}
	fold, err := optim.New(r.Optimizer)
	require.NoError(t, err)
	trained := n.Params() - n.Statistics()
	grad, state := make([]float32, n.Params()), [][]float32{make([]float32, n.Params()), make([]float32, n.Params())}
	m := executor.Model{Network: n.Network, Objective: n.of, Weights: weights}
	w, at := executor.New(nil), 0
	require.Len(t, r.Losses, 50)
	for step, want := range r.Losses {
		var loss [1]float64
		b := executor.Batch{X: rowsOf(f.X, f.Rows, f.Features), Y: f.Y, First: at, Bounds: []int{0, f.Batch}}
		require.NoError(t, w.Gradient(grad, loss[:], m, b, executor.Hooks{}))
		require.InEpsilon(t, want, loss[0]/float64(f.Batch), 1e-5, "step %d", step)
		fold.Apply(weights.Trained, state, int64(step), grad[:trained], float32(f.Batch))
		average(n.Network, weights.Trained, grad, f.Batch)
		at = (at + f.Batch) % f.Rows
	}
	for _, tensor := range n.Tensors() {
		for i, want := range r.Final[tensor.Name] {
			require.InDelta(t, want, weights.Of(tensor)[i], 5e-5, "%s %d", tensor.Name, i)
		}
	}
	require.NoError(t, w.Forward(m, rowsOf(f.X, f.Rows, f.Features), f.Rows, func(lo, hi int, z []float32) error {
		for i, got := range z {
			require.InDelta(t, r.Answers[lo*2+i], got, 2e-4)
		}
		return nil
	}))
}

// average moves the running statistics as package gradient does.
func average(n *model.Network, params, sums []float32, rows int) {
	for _, i := range n.Batchwise() {
		l := n.Nodes()[i].Layer.(model.Batchwise)
		for _, s := range l.Running() {
			numeric.Running(params[s.Offset:s.Offset+s.Len], sums[s.Offset:s.Offset+s.Len], float64(rows), l.Momentum())
		}
	}
}
