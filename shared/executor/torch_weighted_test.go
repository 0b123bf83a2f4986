package executor_test

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"

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

// With weights of classes and of rows, and with the focal loss, and with several labels, the loss of every step
// equals PyTorch's within 1e-5 relative for 50 steps. The same holds for the final weights.
func TestWeightedLossesFollowTorch(t *testing.T) {
	var fixture weightedFixture
	unpack(t, "testdata/weighted.json.gz", &fixture)
	require.Len(t, fixture.Runs, 30)
	for i := range fixture.Runs {
		r := &fixture.Runs[i]
		t.Run(fmt.Sprintf("%s %v %v %v/%d", r.Spec.Loss, r.Spec.FocalGamma, r.Classes, r.Weighted, i), func(t *testing.T) { fixture.follow(t, r) })
	}
}

// targets returns the labels of a run, each row with its weight if it has one.
func (f *weightedFixture) targets(r *weightedRun) (y []float32) {
	labels := f.Labels[r.Labels]
	if !r.Weighted {
		return labels
	}
	width := len(labels) / f.Rows
	for i, w := range f.Weights {
		y = append(append(y, labels[i*width:(i+1)*width]...), w)
	}
	return y
}

func (f *weightedFixture) follow(t *testing.T, r *weightedRun) {
	n := compile(t, r.Spec.Loss, f.Features, r.Layers...)
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
	require.Len(t, r.Losses, 50)
	w := n.weights(append([]float32(nil), r.Initial...))
	torchRows{f.X, f.targets(r), f.Rows, f.Features, f.Batch}.follow(t, n, fold, w, r.Losses, 1e-5)
	requireNear(t, r.Final, w.Trained, 2e-5)
}
