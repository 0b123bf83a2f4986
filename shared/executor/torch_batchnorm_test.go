package executor_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"tributary/shared/executor"
	"tributary/shared/job"
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
	var fixture struct {
		moduleFixture
		Runs []batchNormRun
	}
	unpack(t, "testdata/batchnorm.json.gz", &fixture)
	require.Len(t, fixture.Runs, 10)
	for i := range fixture.Runs {
		t.Run(fixture.Runs[i].Name, func(t *testing.T) { fixture.Runs[i].follow(t, &fixture.moduleFixture) })
	}
}

// With convolutions and pooling, the loss of every step equals PyTorch's within 1e-5 relative
// for 50 steps. So do the parameters and the answers after them.
func TestImagesFollowTorch(t *testing.T) {
	var fixture struct {
		moduleFixture
		Runs []batchNormRun
	}
	unpack(t, "testdata/images.json.gz", &fixture)
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
		v := weights.Of(tensor)
		require.Len(t, r.Initial[tensor.Name], copy(v, r.Initial[tensor.Name]), tensor.Name)
		tensor.FromFile(v)
	}
	fold, err := optim.New(r.Optimizer)
	require.NoError(t, err)
	require.Len(t, r.Losses, 50)
	f.rows().follow(t, n, fold, weights, r.Losses, 1e-5)
	for _, tensor := range n.Tensors() {
		requireNear(t, r.Final[tensor.Name], tensor.File(weights.Of(tensor)), 5e-5)
	}
	m := executor.Model{Network: n.Network, Objective: n.of, Weights: weights}
	require.NoError(t, executor.New(nil).Forward(m, rowsOf(f.X, f.Rows, f.Features), f.Rows, func(lo, hi int, z []float32) error {
		for i, got := range z {
			require.InDelta(t, r.Answers[lo*2+i], got, 2e-4)
		}
		return nil
	}))
}
