package objective_test

import (
	"math"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"tributary/shared/job"
	"tributary/shared/objective"
)

// drawWeighted draws an objective with weights, how many outputs it has, and targets of rows
// with the weights that these rows have.
func drawWeighted(t *rapid.T, rows int) (plain, of objective.Objective, outputs int, labels, y []float32, weights []float64) {
	s := job.Spec{Loss: rapid.SampledFrom(losses).Draw(t, "loss"), LossDelta: 1, LossQuantile: 0.3}
	if s.Loss.Classifies() && rapid.Bool().Draw(t, "focal") {
		s.FocalGamma = 2
	}
	plain, err := objective.For(&s)
	require.NoError(t, err)
	if outputs = 1; s.Loss != job.SigmoidCrossEntropy {
		outputs = rapid.IntRange(2, 5).Draw(t, "outputs")
	}
	w := objective.Weights{Samples: rapid.Bool().Draw(t, "samples"), Greatest: 2}
	if classes := plain.Classes(outputs); classes > 0 && (!w.Samples || rapid.Bool().Draw(t, "by class")) {
		for range classes {
			w.Classes = append(w.Classes, rapid.Float64Range(0.5, 9).Draw(t, "weight"))
		}
	}
	targets := plain.Targets(outputs)
	for range rows {
		row, weight := make([]float32, targets), 1.0
		for i := range row {
			row[i] = float32(rapid.IntRange(0, 1).Draw(t, "y"))
		}
		if w.Classes != nil {
			weight = w.Classes[int(row[0])]
		}
		labels, y = append(labels, row...), append(y, row...)
		if w.Samples {
			sample := rapid.SampledFrom([]float32{0, 0.1, 1, 2}).Draw(t, "sample")
			y, weight = append(y, sample), weight*float64(sample)
		}
		weights = append(weights, weight)
	}
	of = plain
	if w.Samples || w.Classes != nil {
		of, err = objective.Weigh(plain, w, 1, targets)
		require.NoError(t, err)
	}
	return plain, of, outputs, labels, y, weights
}

// The loss is Σ w·l / Σ w, the gradient is that of the loss without weights times w, and
// both are the same in pieces.
func TestWeightsOfTerms(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		rows := rapid.IntRange(1, 40).Draw(t, "rows")
		plain, of, outputs, labels, y, weights := drawWeighted(t, rows)
		sum, weighted := of.Units(y)
		if !weighted {
			return
		}
		require.Equal(t, of.Loss(), plain.Loss())
		require.Equal(t, labels, of.Labels(y))
		z := make([]float32, rows*outputs)
		for i := range z {
			z[i] = rapid.Float32Range(-4, 4).Draw(t, "z")
		}
		plainD, d, terms := make([]float32, len(z)), make([]float32, len(z)), make([]float64, rows)
		plain.Gradient(plainD, make([]float64, rows), z, labels, outputs)
		of.Gradient(d, terms, z, y, outputs)
		want, total := 0.0, 0.0
		for i, w := range weights {
			var s objective.Sum
			targets := plain.Targets(outputs)
			plain.Add(&s, nil, z[i*outputs:(i+1)*outputs], labels[i*targets:(i+1)*targets], outputs)
			want += w * plain.Value(&s, outputs)
			total += w
			for j := range outputs {
				at := i*outputs + j
				require.InDelta(t, w*float64(plainD[at]), d[at], 1e-6)
			}
		}
		var whole, pieces objective.Sum
		of.Add(&whole, nil, z, y, outputs)
		for lo := 0; lo < rows; {
			hi := min(rows, lo+rapid.IntRange(1, 9).Draw(t, "piece"))
			targets := of.Targets(outputs)
			of.Add(&pieces, terms[lo:hi], z[lo*outputs:hi*outputs], y[lo*targets:hi*targets], outputs)
			lo = hi
		}
		require.Equal(t, math.Float64bits(of.Value(&whole, outputs)), math.Float64bits(of.Value(&pieces, outputs)))
		require.InDelta(t, want, of.Value(&whole, outputs), 1e-9*(1+math.Abs(want)))
		switch {
		case of.Loss() == job.HalfSquaredError:
			require.Equal(t, float32(1), of.Divisor(sum))
		case total == 0:
			require.Equal(t, float32(1), of.Divisor(sum))
			require.Zero(t, of.Mean(0, sum))
		default:
			require.InEpsilon(t, total, of.Divisor(sum), 1e-6)
			require.InDelta(t, want/total, of.Mean(want, sum), 1e-9*(1+math.Abs(want/total)))
		}
	})
}

// A weight that is none makes the loss NaN. A weight of 0 hides what the row has, and a masked
// term has the weight 0.
func TestWeightsThatAreNone(t *testing.T) {
	of, err := objective.Weigh(of(t, job.MSE), objective.Weights{Samples: true, Greatest: 3}, 1, 1)
	require.NoError(t, err)
	d, terms, nan := []float32{1}, []float64{1}, float32(math.NaN())
	for _, w := range []float32{-1, 3.5, nan} {
		of.Gradient(d, terms, []float32{1}, []float32{0, w}, 1)
		require.True(t, math.IsNaN(terms[0]) && d[0] != d[0], "%v", w)
		sum, _ := of.Units([]float32{0, w})
		require.Zero(t, sum)
	}
	of.Gradient(d, terms, []float32{nan}, []float32{0, 0}, 1)
	require.Equal(t, []float32{0}, d)
	require.Equal(t, []float64{0}, terms)

	classes, err := objective.Weigh(softmax(t), objective.Weights{Classes: []float64{1, 4}}, 8, 1)
	require.NoError(t, err)
	one, _ := classes.Units([]float32{0})
	sum, weighted := classes.Units([]float32{0, job.Ignored, 1})
	require.True(t, weighted)
	require.Equal(t, 5*one, sum)
	require.Equal(t, float32(5), classes.Divisor(sum))
	classes.Gradient([]float32{0, 0}, terms, []float32{0, 0}, []float32{7}, 2)
	require.True(t, math.IsNaN(terms[0]), "a class that is not")
}

func softmax(t *testing.T) objective.Objective { return of(t, job.SoftmaxCrossEntropy) }

func TestWeightsOutOfRangeAreRefused(t *testing.T) {
	for want, w := range map[string]objective.Weights{
		"weight -1 of class 1: want 0 to 1e+09: invalid":             {Classes: []float64{1, -1}},
		"weight NaN of class 0: want 0 to 1e+09: invalid":            {Classes: []float64{math.NaN()}},
		"greatest weight +Inf: want 0 to 1e+09: invalid":             {Samples: true, Greatest: math.Inf(1)},
		"the greatest weight is 0: want at least 1e-09: invalid":     {Classes: []float64{0, 0}},
		"the greatest weight is 1e-10: want at least 1e-09: invalid": {Samples: true, Greatest: 1e-10},
	} {
		_, err := objective.Weigh(softmax(t), w, 1, 1)
		require.ErrorIs(t, err, job.ErrInvalid)
		require.EqualError(t, err, want)
	}
}

// The sum of the weights of the largest batch does not overflow.
func TestTheSumOfWeightsFits(t *testing.T) {
	for _, terms := range []int{1, 2, 1000, 1024} {
		of, err := objective.Weigh(softmax(t), objective.Weights{Classes: []float64{1e9, 1}, Samples: true, Greatest: 1e9}, terms, 1)
		require.NoError(t, err)
		one, _ := of.Units([]float32{0, 1e9})
		require.LessOrEqual(t, float64(one)*float64(terms)*(1<<20), 0x1p62)
		require.Equal(t, float32(1e18), of.Divisor(one))
		sum, _ := of.Units(slices.Repeat([]float32{0, 1e9}, 10))
		require.Equal(t, 10*one, sum)
	}
}
