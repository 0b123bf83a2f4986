package optim_test

import (
	"encoding/json"
	"os"
	"testing"

	"github.com/stretchr/testify/require"

	"tributary/shared/job"
	"tributary/shared/optim"
)

// The moving average of the parameters is that of PyTorch's AveragedModel
// (testdata/make_average.py). Adam's own state does not change by it.
func TestTheMovingAverageIsPyTorchs(t *testing.T) {
	data, err := os.ReadFile("testdata/average.json")
	require.NoError(t, err)
	var want struct {
		Momentum float64     `json:"momentum"`
		Params   []float32   `json:"params"`
		Grads    [][]float32 `json:"grads"`
		Averages [][]float64 `json:"averages"`
	}
	require.NoError(t, json.Unmarshal(data, &want))
	require.Len(t, want.Averages, 50)
	adam := job.Adam{LearningRate: 0.1, Beta1: 0.9, Beta2: 0.999, Epsilon: 1e-8}
	plain, err := optim.New(job.Optimizer{Adam: &adam})
	require.NoError(t, err)
	with := adam
	with.EMAMomentum = want.Momentum
	f, err := optim.New(job.Optimizer{Adam: &with})
	require.NoError(t, err)
	require.Equal(t, []bool{false, true}, []bool{plain.Averages(), f.Averages()})
	require.Equal(t, plain.Vectors()+1, f.Vectors())
	vectors := func(n int) [][]float32 {
		v := make([][]float32, n)
		for i := range v {
			v[i] = make([]float32, 3)
		}
		copy(v[0], want.Params)
		return v
	}
	v, other := vectors(1+f.Vectors()), vectors(1+plain.Vectors())
	for step, g := range want.Grads {
		f.Apply(v[0], v[1:], int64(step), g, 1)
		plain.Apply(other[0], other[1:], int64(step), g, 1)
		for i, average := range want.Averages[step] {
			require.InDelta(t, average, v[f.Vectors()][i], 1e-5, "step %d", step)
		}
		require.Equal(t, other, v[:len(other)])
	}
}

func TestReductionsOfTheRate(t *testing.T) {
	f, err := optim.New(job.Optimizer{SGD: &job.SGD{LearningRate: 0.5}})
	require.NoError(t, err)
	f = f.With(job.Schedule{WarmupSteps: 2, ReduceOnPlateau: &job.ReduceOnPlateau{Factor: 0.25, MinLearningRate: 0.02}}, 10)
	for times, rate := range []float64{0.5, 0.125, 0.03125, 0.02, 0.02} {
		require.Equal(t, rate, f.Reduced(times).Rate(5), "%d reductions", times)
		require.Equal(t, rate/2, f.Reduced(times).Rate(0), "%d reductions, in the warm-up", times)
	}
}
