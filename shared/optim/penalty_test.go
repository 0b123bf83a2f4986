package optim

import (
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"tributary/shared/job"
	"tributary/shared/numeric"
	"tributary/shared/numeric/team"
)

// A fold with penalties is a fold of the gradient with theirs added, for any optimizer, with
// and without a limit of the elements, and in any number of threads.
func TestPenaltiesAreAddedToTheGradient(t *testing.T) {
	threads := team.New(3)
	defer threads.Close()
	rapid.Check(t, func(t *rapid.T) {
		clip := rapid.SampledFrom([]float64{0, 0.05}).Draw(t, "clip_value")
		o := rapid.SampledFrom([]job.Optimizer{
			{SGD: &job.SGD{LearningRate: 0.1, Common: job.Common{ClipValue: clip}}},
			{SGD: &job.SGD{LearningRate: 0.1, Momentum: 0.9, Common: job.Common{ClipValue: clip, WeightDecay: 0.1}}},
			{AdamW: &job.Adam{LearningRate: 0.1, Beta1: 0.9, Beta2: 0.99, Epsilon: 1e-8, Common: job.Common{ClipValue: clip}}},
		}).Draw(t, "optimizer")
		n := rapid.SampledFrom([]int{5, 100, blockLen + 9, 3*blockLen + 1}).Draw(t, "n")
		fold, err := New(o)
		require.NoError(t, err)
		middle := rapid.IntRange(1, n-1).Draw(t, "middle")
		penalized := fold.Penalizing(
			Penalty{Range{0, middle / 2}, job.Regularizer{L1: 0.01}},
			Penalty{Range{middle, n - 1}, job.Regularizer{L1: 0.02, L2: 0.3}},
		)
		r := numeric.NewRand(rapid.Uint64().Draw(t, "seed"), numeric.ForSynthetic, 0, 0)
		params, grad := make([]float32, n), make([]float32, n)
		for i := range params {
			params[i], grad[i] = r.Symmetric(1), r.Symmetric(9)
		}
		want, plus := append([]float32(nil), params...), make([]float32, n)
		for i, g := range grad {
			sum := g / 16
			l1, l2 := float32(0), float32(0)
			switch {
			case i < middle/2:
				l1 = 0.01
			case i >= middle && i < n-1:
				l1, l2 = 0.02, 0.6
			}
			sum += float32(l2 * params[i])
			if params[i] < 0 {
				l1 = -l1
			}
			plus[i] = sum + l1
		}
		twin := make([][]float32, fold.Vectors())
		alone, shared := make([][]float32, fold.Vectors()), make([][]float32, fold.Vectors())
		for i := range twin {
			twin[i], alone[i], shared[i] = make([]float32, n), make([]float32, n), make([]float32, n)
		}
		parallel := append([]float32(nil), params...)
		fold.Apply(want, twin, 0, plus, 1)
		penalized.Apply(params, alone, 0, grad, 16)
		penalized.ApplyBy(threads, parallel, shared, 0, grad, 16)
		require.Equal(t, want, params)
		require.Equal(t, want, parallel)
		require.Equal(t, twin, alone)
		require.Equal(t, twin, shared)
	})
}
