package plan

import (
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"tributary/shared/dataset"
	"tributary/shared/job"
)

// knows adds operations to those that this program knows, until the test ends.
func knows(t *testing.T, operations ...Operation) {
	t.Helper()
	before := Operations
	Operations = operations
	t.Cleanup(func() { Operations = before })
}

func TestAPlanStatesWhatItNeeds(t *testing.T) {
	long := Operation{"long", func(s *job.Spec) bool { return s.Epochs > 5 }}
	wide := Operation{"wide", func(s *job.Spec) bool { return s.Batch > 5 }}
	made := func(batch, epochs int) []byte {
		p := whole(10, batch, 2, epochs)
		p.require()
		data, _, err := p.Encode()
		require.NoError(t, err)
		return data
	}
	base := made(4, 4)
	require.NotContains(t, string(base), "needs")

	knows(t, long, wide)
	require.Equal(t, base, made(4, 4), "what needs nothing has the bytes that older programs know")
	both := made(9, 9)
	require.Contains(t, string(both), `{"version":2,"needs":["long","wide"],`)
	p, err := Decode(both)
	require.NoError(t, err)
	require.Equal(t, []job.Capability{"long", "wide"}, p.Needs)
	again, _, err := p.Encode()
	require.NoError(t, err)
	require.Equal(t, both, again)
	require.Equal(t, []job.Capability{"long", "wide"}, Capabilities())

	knows(t, long)
	_, err = Decode(both)
	require.ErrorIs(t, err, job.ErrUnsupported)
	require.EqualError(t, err, "plan needs long, wide; this program does not know wide: not supported by this version")
	knows(t)
	_, err = Decode(base)
	require.NoError(t, err)
	for _, wrong := range []string{`{"version":1,"needs":["long"]}`, `{"version":2}`} {
		_, err = Decode([]byte(wrong))
		require.ErrorIs(t, err, job.ErrCorrupt)
	}
}

// Only what came later needs a capability.
func TestLossesAndMetricsThatCameLater(t *testing.T) {
	for _, c := range []struct {
		spec job.Spec
		want []job.Capability
	}{
		{job.Spec{Loss: job.MSE, Metrics: []job.Metric{job.RMSE, job.MAE, job.R2}}, nil},
		{job.Spec{Loss: job.SoftmaxCrossEntropy, Metrics: []job.Metric{job.Accuracy, job.AUC, job.LogLoss}}, nil},
		{job.Spec{Loss: job.AbsoluteError}, []job.Capability{"losses"}},
		{job.Spec{Loss: job.Huber}, []job.Capability{"losses"}},
		{job.Spec{Loss: job.Quantile}, []job.Capability{"losses"}},
		{job.Spec{Loss: job.Poisson, Metrics: []job.Metric{job.MAPE}}, []job.Capability{"losses", "metrics"}},
		{job.Spec{Loss: job.SoftmaxCrossEntropy, LabelSmoothing: 0.1}, []job.Capability{"losses"}},
		{job.Spec{Loss: job.SoftmaxCrossEntropy, FocalGamma: 2}, []job.Capability{"losses"}},
		{job.Spec{Loss: job.SoftmaxCrossEntropy, ClassWeights: job.ClassWeights{Balanced: true}}, []job.Capability{"losses"}},
		{job.Spec{Loss: job.MSE, Data: job.Data{Weight: "w"}}, []job.Capability{"losses"}},
		{job.Spec{Loss: job.MSE, Data: job.Data{Label: job.Columns{"a"}}}, nil},
		{job.Spec{Loss: job.MSE, Data: job.Data{Label: job.Columns{"a", "b"}}}, []job.Capability{"losses"}},
		{job.Spec{Loss: job.MultilabelCrossEntropy}, []job.Capability{"losses"}},
		{job.Spec{Loss: job.SoftmaxCrossEntropy, Metrics: []job.Metric{job.Accuracy, job.F1}}, []job.Capability{"metrics"}},
		{job.Spec{Loss: job.SoftmaxCrossEntropy, Metrics: []job.Metric{job.ConfusionMatrix, job.AveragePrecision}}, []job.Capability{"metrics"}},
	} {
		require.Equal(t, c.want, NeedsOf(&c.spec), "%v", c.spec)
	}
}

func TestWhatOptimizersNeed(t *testing.T) {
	for _, c := range []struct {
		needs     bool
		optimizer job.Optimizer
	}{
		{false, job.Optimizer{}},
		{false, job.Optimizer{SGD: &job.SGD{Momentum: 0.9, Common: job.Common{WeightDecay: 1, ClipNorm: 1}}}},
		{false, job.Optimizer{AdamW: &job.Adam{}}},
		{true, job.Optimizer{Adam: &job.Adam{Common: job.Common{ClipValue: 1}}}},
		{true, job.Optimizer{SGD: &job.SGD{Common: job.Common{DecayBias: new(bool)}}}},
		{true, job.Optimizer{RMSprop: &job.RMSprop{}}},
		{true, job.Optimizer{Adagrad: &job.Adagrad{}}},
		{true, job.Optimizer{Lion: &job.Lion{}}},
	} {
		require.Equal(t, c.needs, slices.Contains(NeedsOf(&job.Spec{Optimizer: c.optimizer}), "optimizers"))
	}
}

// Tasks of a job are published under the name of an operation that it needs.
func TestOperationsAreClasses(t *testing.T) {
	for _, c := range Capabilities() {
		require.NoError(t, job.Class(c).Validate())
	}
}

func TestWhatLayersNeed(t *testing.T) {
	of := func(l job.Layer) []job.Capability {
		return NeedsOf(&job.Spec{Model: job.Model{Layers: []job.Layer{l}}})
	}
	require.Empty(t, of(job.Layer{Dense: &job.Dense{Activation: job.GELU, KernelRegularizer: &job.Regularizer{}}}))
	require.Equal(t, []job.Capability{"layers"}, of(job.Layer{Dense: &job.Dense{Activation: job.SiLU}}))
	require.Equal(t, []job.Capability{"layers"}, of(job.Layer{GroupNorm: &job.GroupNorm{Groups: 2}}))
	require.Equal(t, []job.Capability{"batchnorm"}, of(job.Layer{BatchNorm: &job.BatchNorm{}}))
	require.Equal(t, []job.Capability{"optimizers"}, of(job.Layer{Dense: &job.Dense{KernelRegularizer: &job.Regularizer{L1: 1}}}))
	no := false
	require.Equal(t, []job.Capability{"frozen", "layers"}, of(job.Layer{GroupNorm: &job.GroupNorm{Groups: 2, Norm: job.Norm{Trainable: &no}}}))
}

// A program that does not know how cells are read leaves the plan to one that does, also
// if only the data shows the form.
func TestCellsInOtherFormsNeedACapability(t *testing.T) {
	for name, c := range map[string]struct {
		change func(*Plan)
		needs  []job.Capability
	}{
		"plain":      {func(*Plan) {}, nil},
		"options":    {func(p *Plan) { p.Spec.Data.CSV = &job.CSVOptions{Trim: true} }, []job.Capability{"cells"}},
		"columns":    {func(p *Plan) { p.Spec.Data.Columns = map[string]job.ColumnSpec{"x0": {Type: job.NumberColumn}} }, []job.Capability{"cells"}},
		"no columns": {func(p *Plan) { p.Spec.Data.Columns = map[string]job.ColumnSpec{} }, nil},
		"a form found in the data": {
			func(p *Plan) { p.Dataset.Preprocessing.Columns[0].Form = &dataset.Form{Sign: "$"} }, []job.Capability{"cells"},
		},
	} {
		p := whole(10, 4, 2, 4)
		c.change(p)
		p.require()
		require.Equal(t, c.needs, p.Needs, name)
		data, _, err := p.Encode()
		require.NoError(t, err)
		decoded, err := Decode(data)
		require.NoError(t, err, name)
		require.Equal(t, c.needs, decoded.Needs, name)
	}
}
