package executor_test

import (
	"testing"

	"github.com/stretchr/testify/require"

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
	var fixture moduleFixture
	unpack(t, "testdata/modules.json.gz", &fixture)
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
	require.Len(t, r.Initial, n.Params())
	require.Len(t, r.Losses, 50)
	w := n.weights(append([]float32(nil), r.Initial...))
	f.rows().follow(t, n, fold, w, r.Losses, 1e-5)
	requireNear(t, r.Final, w.Trained, 5e-5)
}

func (f *moduleFixture) rows() torchRows { return torchRows{f.X, f.Y, f.Rows, f.Features, f.Batch} }
