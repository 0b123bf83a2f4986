package metric_test

import (
	"math"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"tributary/shared/job"
	"tributary/shared/metric"
	"tributary/shared/objective"
)

// binary is a config that keeps the scores of rows for a threshold.
func binary(t require.TestingT) metric.Config {
	of, err := objective.Of(job.SigmoidCrossEntropy)
	require.NoError(t, err)
	return metric.Config{Objective: of, Outputs: 1, Threshold: true}
}

func unit(c metric.Config, z, y []float32) *metric.Sums {
	k := c.Count()
	k.Add(z, y, len(y))
	return k.Sums()
}

// The threshold is the greatest of those that no other one beats, of all candidates, for any
// units. It has the figures that it was chosen by.
func TestTheThresholdIsTheBest(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		c := binary(t)
		n := rapid.IntRange(2, 40).Draw(t, "rows")
		z, y := make([]float32, n), make([]float32, n)
		for i := range z {
			z[i] = float32(rapid.IntRange(-4, 4).Draw(t, "z")) / 2
			y[i] = float32(rapid.IntRange(0, 1).Draw(t, "y"))
		}
		y[0], y[1] = 0, 1
		maximize := rapid.SampledFrom([]job.Maximize{job.MaximizeF1, job.MaximizeBalanced}).Draw(t, "maximize")
		cut := rapid.IntRange(0, n).Draw(t, "cut")
		units := []*metric.Sums{unit(c, z[:cut], y[:cut]), unit(c, z[cut:], y[cut:])}
		got, why := c.Choose(units, maximize)
		require.Empty(t, why)
		value := func(f job.ThresholdFigures) float64 {
			if maximize == job.MaximizeF1 {
				return f.F1
			}
			return f.BalancedAccuracy
		}
		most := value(c.At(units, got.Logit))
		for _, other := range z {
			v := value(c.At(units, other))
			require.LessOrEqual(t, v, most+1e-12)
			if other > got.Logit {
				require.Less(t, v, most+1e-12)
			}
		}
		require.Contains(t, z, got.Logit)
		require.InDelta(t, 1/(1+math.Exp(-float64(got.Logit))), got.Probability, 1e-6)
		again, _ := c.Choose([]*metric.Sums{unit(c, z, y)}, maximize)
		require.Equal(t, got, again, "the blocks do not matter")
		decoded, err := metric.DecodeSums(units[1].Encode())
		require.NoError(t, err)
		require.Equal(t, units[1], decoded)
	})
}

// The figures are those of the definitions of scikit-learn's f1_score, precision_score, recall_score,
// accuracy_score and balanced_accuracy_score for y = 0 0 0 1 1 and predictions 0 1 0 1 0.
func TestFiguresOfAThreshold(t *testing.T) {
	c := binary(t)
	f := c.At([]*metric.Sums{unit(c, []float32{-1, 2, -3, 2, -1}, []float32{0, 0, 0, 1, 1})}, 2)
	require.Equal(t, job.ThresholdFigures{
		TrueNegatives: 2, FalsePositives: 1, FalseNegatives: 1, TruePositives: 1,
		Accuracy: 0.6, BalancedAccuracy: 0.5833333333333333, Precision: 0.5, Recall: 0.5, F1: 0.5,
	}, f)
	require.Equal(t, job.ThresholdFigures{TrueNegatives: 3, FalseNegatives: 2, Accuracy: 0.6, BalancedAccuracy: 0.5},
		c.At([]*metric.Sums{unit(c, []float32{-1, 2, -3, 2, -1}, []float32{0, 0, 0, 1, 1})}, 9))
}

func TestNoThreshold(t *testing.T) {
	c := binary(t)
	nan := float32(math.NaN())
	for want, units := range map[string][]*metric.Sums{
		"there are no rows":             {nil},
		"want rows of both classes":     {unit(c, []float32{1, 2}, []float32{1, 1})},
		"a row's score is NaN":          {unit(c, []float32{nan, 2}, []float32{1, 0})},
		"the best threshold would be +": {unit(c, []float32{float32(math.Inf(1)), 2}, []float32{1, 0})},
	} {
		_, why := c.Choose(units, job.MaximizeF1)
		require.Contains(t, why, want)
	}
}
