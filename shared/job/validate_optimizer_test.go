package job_test

import (
	"math"
	"testing"

	"github.com/stretchr/testify/require"

	"tributary/shared/job"
)

func TestOptimizerFaults(t *testing.T) {
	const (
		above0 = ": want a number above 0 that a 32-bit float can hold"
		from0  = ": want a number of at least 0 that a 32-bit float can hold"
		below1 = ": want a number of at least 0 and below 1, also as a 32-bit float"
	)
	nan, infinity := math.NaN(), math.Inf(1)
	with := func(change func(*job.Adam)) *job.Adam {
		a := adam()
		change(&a)
		return &a
	}
	for want, o := range map[string]job.Optimizer{
		"optimizer: want exactly one of adagrad, adam, adamw, lion, rmsprop, sgd": {},
		"optimizer.sgd.learning_rate: 0" + above0:                                 {SGD: &job.SGD{}},
		"optimizer.sgd.learning_rate: NaN" + above0:                               {SGD: &job.SGD{LearningRate: nan}},
		"optimizer.sgd.learning_rate: 1e-60" + above0:                             {SGD: &job.SGD{LearningRate: 1e-60}},
		"optimizer.sgd.learning_rate: 1e+60" + above0:                             {SGD: &job.SGD{LearningRate: 1e60}},
		"optimizer.sgd.momentum: 1" + below1:                                      {SGD: &job.SGD{LearningRate: 1, Momentum: 1}},
		"optimizer.sgd.momentum: -1e-60" + below1:                                 {SGD: &job.SGD{LearningRate: 1, Momentum: -1e-60}},
		"optimizer.sgd.momentum: NaN" + below1:                                    {SGD: &job.SGD{LearningRate: 1, Momentum: nan}},
		"optimizer.sgd.nesterov: true: want a momentum above 0 with it":           {SGD: &job.SGD{LearningRate: 1, Nesterov: true}},
		"optimizer.sgd.weight_decay: -1" + from0:                                  {SGD: &job.SGD{LearningRate: 1, Common: job.Common{WeightDecay: -1}}},
		"optimizer.sgd.weight_decay: +Inf" + from0:                                {SGD: &job.SGD{LearningRate: 1, Common: job.Common{WeightDecay: infinity}}},
		"optimizer.sgd.clip_norm: -1" + above0:                                    {SGD: &job.SGD{LearningRate: 1, Common: job.Common{ClipNorm: -1}}},
		"optimizer.sgd.clip_norm: NaN" + above0:                                   {SGD: &job.SGD{LearningRate: 1, Common: job.Common{ClipNorm: nan}}},
		"optimizer.rmsprop.alpha: 1" + below1 + "\noptimizer.rmsprop.epsilon: NaN" + above0 + "\noptimizer.rmsprop.momentum: -1" + below1: {RMSprop: &job.RMSprop{LearningRate: 1, Alpha: 1, Epsilon: nan, Momentum: -1}},
		"optimizer.adagrad.lr_decay: -1" + from0 + "\noptimizer.adagrad.initial_accumulator_value: NaN" + from0:                           {Adagrad: &job.Adagrad{LearningRate: 1, Epsilon: 1, LRDecay: -1, InitialAccumulatorValue: nan}},
		"optimizer.adagrad.learning_rate: 0" + above0 + "\noptimizer.adagrad.epsilon: 0" + above0:                                         {Adagrad: &job.Adagrad{}},
		"optimizer.lion.learning_rate: +Inf" + above0 + "\noptimizer.lion.beta1: 1" + below1 + "\noptimizer.lion.beta2: NaN" + below1:     {Lion: &job.Lion{LearningRate: infinity, Beta1: 1, Beta2: nan}},
		"optimizer.lion.clip_value: -1" + above0:                                           {Lion: &job.Lion{LearningRate: 1, Common: job.Common{ClipValue: -1}}},
		"optimizer.lion.clip_value: 2: clip_norm is given as well, want one of them":       {Lion: &job.Lion{LearningRate: 1, Common: job.Common{ClipNorm: 1, ClipValue: 2}}},
		"optimizer.lion.decay_bias: false: want a weight_decay above 0 with it":            {Lion: &job.Lion{LearningRate: 1, Common: job.Common{DecayBias: new(bool)}}},
		"optimizer.adam.learning_rate: -1" + above0:                                        {Adam: with(func(a *job.Adam) { a.LearningRate = -1 })},
		"optimizer.adam.weight_decay: NaN" + from0:                                         {Adam: with(func(a *job.Adam) { a.WeightDecay = nan })},
		"optimizer.adamw.clip_norm: +Inf" + above0:                                         {AdamW: with(func(a *job.Adam) { a.ClipNorm = infinity })},
		"optimizer.adamw.beta1: -0.1" + below1:                                             {AdamW: with(func(a *job.Adam) { a.Beta1 = -0.1 })},
		"optimizer.adamw.beta2: 0.99999999999" + below1:                                    {AdamW: with(func(a *job.Adam) { a.Beta2 = 0.99999999999 })},
		"optimizer.adamw.epsilon: 0" + above0:                                              {AdamW: with(func(a *job.Adam) { a.Epsilon = 0 })},
		"optimizer.sgd.learning_rate: 0" + above0 + "\noptimizer.sgd.momentum: 2" + below1: {SGD: &job.SGD{Momentum: 2}},
	} {
		err := o.Validate()
		require.EqualError(t, err, want)
		require.ErrorIs(t, err, job.ErrInvalid)
	}
	for _, o := range []job.Optimizer{
		{RMSprop: &job.RMSprop{LearningRate: 1, Epsilon: 1, Momentum: 0.5, Centered: true}},
		{Adagrad: &job.Adagrad{LearningRate: 1, Epsilon: 1, LRDecay: 2, InitialAccumulatorValue: 1}},
		{Lion: &job.Lion{LearningRate: 1, Common: job.Common{ClipValue: 1, WeightDecay: 1, DecayBias: new(bool)}}},
	} {
		require.NoError(t, o.Validate())
	}
	require.NoError(t, (&job.Optimizer{Adam: with(func(a *job.Adam) { a.WeightDecay = 0.1 })}).Validate())
}
