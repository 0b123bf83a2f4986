package gradient_test

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"tributary/shared/blob"
	"tributary/shared/gradient"
	"tributary/shared/gradient/gradienttest"
	"tributary/shared/job"
	"tributary/shared/model"
	"tributary/shared/registry"
)

func TestGivenInitialWeights(t *testing.T) {
	from, _ := gradienttest.Job{}.Engine(t)
	given := initial(from)
	for i := range given {
		given[i] = float32(i) / 8
	}
	weights, err := registry.EncodeWeights(from.Network.Tensors(), from.Weights(given))
	require.NoError(t, err)
	e, _ := gradienttest.Job{Init: weights}.Engine(t)
	require.Equal(t, given, initial(e))
	require.NotEqual(t, given, initial(from))

	// Weights of another architecture.
	store := blob.NewMemory(0)
	p := gradienttest.Job{Init: weights, Spec: strings.Replace(gradienttest.Regression, "units: 4", "units: 5", 1)}.Plan(t, store)
	_, err = gradient.Compile(t.Context(), p, store, nil)
	require.ErrorIs(t, err, job.ErrInvalid)
	require.ErrorContains(t, err, "model.init.from")
	// Weights that are missing.
	require.NoError(t, store.Delete(t.Context(), p.Init))
	_, err = gradient.Compile(t.Context(), p, store, nil)
	require.ErrorIs(t, err, job.ErrNotFound)
	require.ErrorContains(t, err, "read initial weights")
}

// The initial parameters depend only on the seed, and two calls give the same.
func TestInitialParametersAreTheSeeds(t *testing.T) {
	a, _ := gradienttest.Job{}.Engine(t)
	b, _ := gradienttest.Job{Rows: 9}.Engine(t)
	require.Equal(t, initial(a), initial(b))
	c, _ := gradienttest.Job{Spec: strings.Replace(gradienttest.Regression, "seed: 3", "seed: 4", 1)}.Engine(t)
	require.NotEqual(t, initial(a), initial(c))
}

func TestWhatCannotBeCompiled(t *testing.T) {
	store := blob.NewMemory(0)
	p := gradienttest.Job{}.Plan(t, store)
	p.Spec.Optimizer = job.Optimizer{}
	_, err := gradient.Compile(t.Context(), p, store, nil)
	require.ErrorIs(t, err, job.ErrInvalid)
	require.ErrorContains(t, err, "compile optimizer")
	p.Spec.Model.Layers = nil
	_, err = gradient.Compile(t.Context(), p, store, nil)
	require.ErrorIs(t, err, job.ErrInvalid)
	require.ErrorContains(t, err, "compile model")
}

// Weight decay without a gradient: it moves every weight, and no bias. Tensors of frozen
// layers are not among the parameters.
func TestBiasesAreSparedOfDecay(t *testing.T) {
	spec := strings.Replace(gradienttest.Regression, "{sgd: {learning_rate: 0.05, momentum: 0.9}}", "{lion: {learning_rate: 0.5, weight_decay: 1, decay_bias: false}}", 1)
	for _, units := range []string{"units: 4", "units: 4, trainable: false"} {
		require.Contains(t, spec, "units: 4")
		e, _ := gradienttest.Job{Spec: strings.Replace(spec, "units: 4", units, 1)}.Engine(t)
		params := make([]float32, e.Network.Params())
		for i := range params {
			params[i] = 2
		}
		e.Fold.Apply(params, [][]float32{make([]float32, len(params))}, 0, make([]float32, len(params)), 1)
		for _, tensor := range e.Network.Tensors() {
			if tensor.Frozen {
				continue
			}
			want := float32(1)
			if tensor.Group == model.Bias {
				want = 2
			}
			for _, p := range params[tensor.Offset : tensor.Offset+tensor.Len] {
				require.Equal(t, want, p, tensor.Name)
			}
		}
	}
}

func TestLayout(t *testing.T) {
	e, _ := gradienttest.Job{}.Engine(t)
	l := e.Layout(job.Ref{Job: "a", Run: "b"})
	require.Equal(t, job.Ref{Job: "a", Run: "b"}, l.Ref)
	require.Equal(t, e.Network.Params(), l.Params)
	require.Equal(t, 4, l.Microbatch)
	require.Equal(t, 3, l.Chunks(), "21 parameters, 7 to a chunk")
}
