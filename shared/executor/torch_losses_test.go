package executor_test

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"

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
	var fixture lossFixture
	unpack(t, "testdata/losses.json.gz", &fixture)
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
	require.Len(t, run.Losses, 50)
	w := n.weights(append([]float32(nil), f.Initial...))
	torchRows{f.X, f.Labels[run.Labels], f.Rows, f.Features, f.Batch}.follow(t, n, fold, w, run.Losses, 1e-5)
	requireNear(t, run.Final, w.Trained, 1e-5)
}
