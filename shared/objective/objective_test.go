package objective_test

import (
	"math"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"tributary/shared/job"
	"tributary/shared/objective"
)

func of(t require.TestingT, loss job.Loss) objective.Objective {
	o, err := objective.Of(loss)
	require.NoError(t, err)
	return o
}

var losses = []job.Loss{
	job.SoftmaxCrossEntropy, job.SigmoidCrossEntropy, job.MSE, job.HalfSquaredError,
	job.AbsoluteError, job.Huber, job.Quantile, job.Poisson, job.MultilabelCrossEntropy,
}

func TestEveryLossHasItsObjective(t *testing.T) {
	for _, loss := range losses {
		o := of(t, loss)
		require.Equal(t, loss, o.Loss())
		require.Equal(t, loss.Classifies(), o.Classes(2) > 0, "the vocabulary says the same")
	}
	_, err := objective.Of("hinge")
	require.ErrorIs(t, err, job.ErrInvalid)
	require.EqualError(t, err, `loss: "hinge": want softmax_cross_entropy, sigmoid_cross_entropy, mse, half_squared_error, mae, huber, quantile, poisson, multilabel_cross_entropy: invalid`)
}

// Rows that are added piece by piece have the same loss as all rows at once, with terms and
// without.
func TestALossIsTheSameInPieces(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		o := of(t, rapid.SampledFrom(losses).Draw(t, "loss"))
		outputs, rows := 1, rapid.IntRange(0, 100).Draw(t, "rows")
		if o.Loss() != job.SigmoidCrossEntropy {
			outputs = rapid.IntRange(2, 5).Draw(t, "outputs")
		}
		targets := o.Targets(outputs)
		z, y := make([]float32, rows*outputs), make([]float32, rows*targets)
		for i := range z {
			z[i] = rapid.Float32Range(-9, 9).Draw(t, "z")
		}
		for i := range y {
			y[i] = float32(rapid.IntRange(0, 1).Draw(t, "y"))
		}
		d, terms := make([]float32, len(z)), make([]float64, rows)
		o.Gradient(d, terms, z, y, outputs)
		var whole, pieces objective.Sum
		o.Add(&whole, nil, z, y, outputs)
		for lo := 0; lo < rows; {
			hi := min(rows, lo+16*rapid.IntRange(1, 3).Draw(t, "piece"))
			o.Add(&pieces, terms[lo:hi], z[lo*outputs:hi*outputs], y[lo*targets:hi*targets], outputs)
			lo = hi
		}
		require.Equal(t, math.Float64bits(o.Value(&whole, outputs)), math.Float64bits(o.Value(&pieces, outputs)))
	})
}

func TestDivisors(t *testing.T) {
	for _, loss := range losses {
		o := of(t, loss)
		if loss == job.HalfSquaredError {
			require.Equal(t, float32(1), o.Divisor(4))
			require.Equal(t, 6.0, o.Mean(6, 4))
			continue
		}
		require.Equal(t, float32(4), o.Divisor(4))
		require.Equal(t, 1.5, o.Mean(6, 4))
		require.Zero(t, o.Mean(0, 0))
	}
}

// The parameters come from the spec, and only those of the loss are read.
func TestParametersOfLosses(t *testing.T) {
	value := func(s job.Spec, z, y float32) float64 {
		o, err := objective.For(&s)
		require.NoError(t, err)
		var sum objective.Sum
		o.Add(&sum, nil, []float32{z, 0}, []float32{y, 0}[:o.Targets(2)], 2)
		return o.Value(&sum, 2)
	}
	require.Equal(t, 0.5*(0.5*(3-0.25)), value(job.Spec{Loss: job.Huber, LossDelta: 0.5}, 4, 1))
	require.Equal(t, 0.5*0.25*3, value(job.Spec{Loss: job.Quantile, LossQuantile: 0.75}, 4, 1))
	require.Equal(t, 1.5, value(job.Spec{Loss: job.AbsoluteError, LossDelta: -1}, 4, 1))
	require.InDelta(t, math.Log(2), value(job.Spec{Loss: job.SoftmaxCrossEntropy, LabelSmoothing: 1}, 0, 1), 1e-15)

	for want, s := range map[string]job.Spec{
		"loss_delta: 0: want a finite number above 0: invalid":         {Loss: job.Huber},
		"loss_delta: +Inf: want a finite number above 0: invalid":      {Loss: job.Huber, LossDelta: math.Inf(1)},
		"loss_delta: NaN: want a finite number above 0: invalid":       {Loss: job.Huber, LossDelta: math.NaN()},
		"loss_quantile: 1: want a number above 0 and below 1: invalid": {Loss: job.Quantile, LossQuantile: 1},
		"label_smoothing: -0.1: want a number from 0 to 1: invalid":    {Loss: job.SoftmaxCrossEntropy, LabelSmoothing: -0.1},
		"label_smoothing: NaN: want a number from 0 to 1: invalid":     {Loss: job.SoftmaxCrossEntropy, LabelSmoothing: math.NaN()},
	} {
		o, err := objective.For(&s)
		require.Nil(t, o)
		require.ErrorIs(t, err, job.ErrInvalid)
		require.EqualError(t, err, want)
	}
}

func TestNumbersAndLogLoss(t *testing.T) {
	z := []float32{0, 1}
	for _, loss := range losses {
		o := of(t, loss)
		plain, differs := o.LogLoss()
		require.Equal(t, loss.Classifies(), plain != nil)
		require.False(t, differs)
		require.Equal(t, loss != job.Poisson && loss != job.MultilabelCrossEntropy, &z[0] == &o.Numbers(z)[0])
		require.Equal(t, loss == job.Poisson || loss == job.MultilabelCrossEntropy, o.CheckNumber(-1) != nil)
		require.NoError(t, o.CheckNumber(0))
	}
	require.Equal(t, []float32{1, float32(math.E)}, of(t, job.Poisson).Numbers(z))
	require.Equal(t, []float32{0.5, 0.7310586}, of(t, job.MultilabelCrossEntropy).Numbers(z))
	require.ErrorContains(t, of(t, job.MultilabelCrossEntropy).CheckNumber(0.5), "0.5: with loss multilabel_cross_entropy want 0 or 1")
	require.ErrorContains(t, of(t, job.Poisson).CheckNumber(-1), "-1: with loss poisson want a number of at least 0")
	o, err := objective.For(&job.Spec{Loss: job.SoftmaxCrossEntropy, LabelSmoothing: 0.1})
	require.NoError(t, err)
	plain, differs := o.LogLoss()
	require.True(t, differs)
	require.Equal(t, of(t, job.SoftmaxCrossEntropy), plain)
}

func TestClassesAndProbabilities(t *testing.T) {
	nan := float32(math.NaN())
	soft, p := of(t, job.SoftmaxCrossEntropy), make([]float32, 4)
	soft.Probabilities(p, []float32{0, 0, 1000, -1000}, 2)
	require.Equal(t, []float32{0.5, 0.5, 1, 0}, p)
	require.Equal(t, 0, soft.Class([]float32{2, 2}), "the first of the greatest")
	require.Equal(t, 2, soft.Class([]float32{-3, -2, -1}))
	require.Equal(t, -1, soft.Class([]float32{1, nan}))

	sigmoid := of(t, job.SigmoidCrossEntropy)
	sigmoid.Probabilities(p, []float32{0, 30}, 1)
	require.Equal(t, []float32{0.5, 0.5}, p[:2])
	require.Equal(t, float32(1), p[3])
	require.InEpsilon(t, math.Exp(-30), p[2], 1e-6, "not 1 − 1")
	require.Equal(t, []int{0, 0, 1, -1}, []int{sigmoid.Class([]float32{-1}), sigmoid.Class([]float32{0}), sigmoid.Class([]float32{0.1}), sigmoid.Class([]float32{nan})})
}
