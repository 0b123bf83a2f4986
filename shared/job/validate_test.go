package job_test

import (
	"math"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"tributary/shared/job"
)

// valid returns a spec without faults.
func valid() *job.Spec {
	s := &job.Spec{
		Name:      "a",
		Data:      job.Data{Source: "a.csv", Label: job.Columns{"y"}},
		Model:     job.Model{Layers: []job.Layer{{Dense: &job.Dense{Units: 8, Activation: job.ReLU}}, {Dense: &job.Dense{Units: 3}}}},
		Loss:      job.SoftmaxCrossEntropy,
		Optimizer: job.Optimizer{SGD: &job.SGD{LearningRate: 0.1}},
		Batch:     256, Epochs: 1,
	}
	s.Default()
	return s
}

func TestRulesOfMoreThanOneField(t *testing.T) {
	require.NoError(t, valid().Validate())
	regression := func(s *job.Spec) { s.Loss, s.Model.Layers[1].Dense.Units = job.MSE, 1 }
	three := func(s *job.Spec) { s.Model.Layers[1].Dense.Units = 3 }
	idx := func(s *job.Spec) {
		s.Data = job.Data{Source: "a.idx", Format: job.IDX, Labels: "b.idx"}
		s.Default()
	}
	inline := func(s *job.Spec) {
		s.Data = job.Data{Inline: &job.Inline{X: []byte("[1]"), Y: []byte("[1]")}}
		s.Default()
	}
	for _, c := range []struct {
		want   string // "" for none
		change []func(*job.Spec)
	}{
		{"", []func(*job.Spec){regression}},
		{"", []func(*job.Spec){idx}},
		{"", []func(*job.Spec){inline}},
		{"epochs: missing: want epochs or steps", does(func(s *job.Spec) { s.Epochs = 0 })},
		{"", does(func(s *job.Spec) { s.Epochs, s.Steps = 0, 5 })},
		{"steps: 5: epochs is given as well, want one of them", does(func(s *job.Spec) { s.Steps = 5 })},
		{"microbatches: 257: want at most the rows of a batch, 256", does(func(s *job.Spec) { s.Microbatches = 257 })},
		{"", does(func(s *job.Spec) { s.Microbatches = 3 })},
		{"evaluate.every_steps: 9: every_epochs is given as well, want one of them", does(func(s *job.Spec) { s.Evaluate.EverySteps = 9 })},

		{"data: missing: want source or inline", does(func(s *job.Spec) { s.Data.Source = "" })},
		{"data.inline: source is given as well, want one of them", []func(*job.Spec){inline, func(s *job.Spec) { s.Data.Source = "a.csv" }}},
		{`data.format: missing: the file name "nats:b/data" does not show the format, want one of csv, idx, jsonl, parquet, sql, libsvm, numpy, arrow`, does(func(s *job.Spec) { s.Data.Source, s.Data.Format = "nats:b/data", ""; s.Default() })},
		{"data.label: missing: want the name of the label's column", does(func(s *job.Spec) { s.Data.Label = nil })},
		{`data.labels: "l": only for format idx or numpy`, does(func(s *job.Spec) { s.Data.Labels = "l" })},
		{`data.test_labels: "l": want data.test, whose labels they are` + "\n" + `data.test_labels: "l": only for format idx or numpy`, does(func(s *job.Spec) { s.Data.TestLabels = "l" })},
		{"data.labels: missing: want the source of the labels", []func(*job.Spec){idx, func(s *job.Spec) { s.Data.Labels = "" }}},
		{"data.test_labels: missing: want the source of the labels of data.test", []func(*job.Spec){idx, func(s *job.Spec) { s.Data.Test = "t.idx" }}},
		{`data.label: "y": only for format csv, jsonl, parquet, arrow, sql or libsvm`, []func(*job.Spec){idx, func(s *job.Spec) { s.Data.Label = job.Columns{"y"} }}},
		{`data.drop: "a, b": only for format csv, jsonl, parquet, arrow, sql or libsvm`, []func(*job.Spec){idx, func(s *job.Spec) { s.Data.Drop = []string{"a", "b"} }}},
		{`data.label: "y": only for rows of a source, not for inline ones`, []func(*job.Spec){inline, func(s *job.Spec) { s.Data.Label = job.Columns{"y"} }}},
		{`data.test: "t": only for rows of a source, not for inline ones`, []func(*job.Spec){inline, func(s *job.Spec) { s.Data.Test = "t" }}},
		{`data.drop[1]: "y": this is the label`, does(func(s *job.Spec) { s.Data.Drop = []string{"a", "y"} })},
		{"data.clean.missing.constant: NaN: want a finite number", does(func(s *job.Spec) { s.Data.Clean.Missing = job.Missing{Method: "constant", Constant: math.NaN()} })},
		{"data.transform.scale.divide: 0: want a finite number other than 0", does(func(s *job.Spec) { s.Data.Transform.Scale = job.Scale{Method: "divide"} })},
		{"data.transform.scale.divide: +Inf: want a finite number other than 0", does(func(s *job.Spec) { s.Data.Transform.Scale = job.Scale{Method: "divide", Divide: math.Inf(1)} })},
		{"data.transform.label: minmax: want none or standard", []func(*job.Spec){regression, func(s *job.Spec) { s.Data.Transform.Label.Method = "minmax" }}},
		{"data.transform.label: standard: with loss softmax_cross_entropy the label is a class, want none", does(func(s *job.Spec) { s.Data.Transform.Label.Method = "standard" })},
		{"", []func(*job.Spec){regression, func(s *job.Spec) { s.Data.Transform.Label.Method = "standard" }}},

		{"data.split.train: 0.9: the fractions sum to 1.1, want 1", does(split(0.9, 0.1, 0.1))},
		{"", does(split(0.7, 0.2, 0.1))},
		{"data.split.train: NaN: the fractions sum to NaN, want 1", does(split(math.NaN(), 0, 0))},
		{"data.split.train: 0: want more than 0", does(split(0, 0.5, 0.5))},
		{"data.split.test: 0.2: data.test is given as well, want one of them", does(func(s *job.Spec) { split(0.8, 0, 0.2)(s); s.Data.Test = "t.csv" })},
		{"data.split.stratify: true: want a loss on classes, not mse", []func(*job.Spec){regression, func(s *job.Spec) { s.Data.Split.Stratify = true }}},

		{`model.init.from: "w": scheme is given as well, want one of them`, does(func(s *job.Spec) { s.Model.Init.From = "w" })},
		{"model.layers[1]: want exactly one of activation, average_pooling2d, batch_norm, conv2d, dense, dropout, flatten, global_average_pooling2d, global_max_pooling2d, group_norm, layer_norm, max_pooling2d, reshape, residual, rms_norm", does(func(s *job.Spec) { s.Model.Layers[1].Dense = nil })},
		{"model.layers: missing: want at least 1 layer", does(func(s *job.Spec) { s.Model.Layers = nil })},
		{"model.layers[1].dense.units: 3: with loss sigmoid_cross_entropy want 1", does(func(s *job.Spec) { s.Loss = job.SigmoidCrossEntropy })},
		{"model.layers[1].dense.units: 1: with loss softmax_cross_entropy want as many as classes, at least 2", does(func(s *job.Spec) { s.Model.Layers[1].Dense.Units = 1 })},
		{`model.layers[1].dense.activation: "tanh": with loss softmax_cross_entropy, which applies its own, want none`, does(func(s *job.Spec) { s.Model.Layers[1].Dense.Activation = job.Tanh })},
		{"", []func(*job.Spec){regression, func(s *job.Spec) { s.Model.Layers[1].Dense.Activation = job.Tanh }}},

		{"model.layers[1].dense.units: 30000: 900090000 parameters up to here: want at most 268435456 (4 bytes each)", does(layers(30_000, 30_000, 3))},
		{"", does(layers(16_000, 16_000, 3))},
		{"model.layers[2].dense.units: 1048576: 1099514773506 parameters up to here: want at most 268435456 (4 bytes each)", does(layers(1, 1<<20, 1<<20))},
		{"model.layers[0].dense.units: 100000: 300100000 parameters up to here: want at most 268435456 (4 bytes each)", []func(*job.Spec){inline, wideInline(3000), layers(100_000, 3)}},
		{"", []func(*job.Spec){inline, wideInline(1000), layers(100_000, 3)}},
		{"", does(func(s *job.Spec) { // a worker computes it in slices
			layers(16_000, 3)(s)
			s.Batch, s.Microbatches = 1<<20, 1
		})},

		{"model.layers[1].dense.units: 3: the label has 1 column, want 1 unit", []func(*job.Spec){regression, three}},
		{"", []func(*job.Spec){regression, idx, three}},
		{"data.transform.label: standard: it takes a label of one output, the last layer has 3 units", []func(*job.Spec){regression, idx, three, func(s *job.Spec) { s.Data.Transform.Label.Method = "standard" }}},
		{"schedule.warmup_steps: 9: the job has 9 steps, want fewer", does(func(s *job.Spec) { s.Epochs, s.Steps, s.Schedule.WarmupSteps = 0, 9, 9 })},
		{`metrics[0]: "auc": this metric needs two classes, the last layer has 3 units`, does(func(s *job.Spec) { s.Metrics = []job.Metric{job.AUC} })},
		{"", does(func(s *job.Spec) { s.Metrics, s.Model.Layers[1].Dense.Units = []job.Metric{job.AUC}, 2 })},
		{`metrics[1]: "rmse": with loss softmax_cross_entropy want one of accuracy, auc, log_loss, precision, recall, f1, brier, top_5_accuracy, average_precision, confusion_matrix, expected_calibration_error`, does(func(s *job.Spec) { s.Metrics = []job.Metric{job.Accuracy, job.RMSE} })},
		{`metrics[0]: "auc": with loss mse want one of rmse, mae, r2, mape`, []func(*job.Spec){regression, func(s *job.Spec) { s.Metrics = []job.Metric{job.AUC, job.R2} }}},

		{`metrics[0]: "brier": this metric needs two classes, the last layer has 3 units`, does(func(s *job.Spec) { s.Metrics = []job.Metric{job.Brier, job.F1} })},
		{`metrics[0]: "top_5_accuracy": this metric needs more than 5 classes, the last layer has 3 units`, does(func(s *job.Spec) { s.Metrics = []job.Metric{job.Top5} })},
		{`metrics[0]: "top_5_accuracy": this metric needs more than 5 classes, loss sigmoid_cross_entropy is of two`, does(func(s *job.Spec) {
			s.Loss, s.Model.Layers[1].Dense.Units, s.Metrics = job.SigmoidCrossEntropy, 1, []job.Metric{job.Top5, job.Brier, job.AUC}
		})},
		{"loss_delta: 2: want it with loss huber alone", []func(*job.Spec){regression, func(s *job.Spec) { s.LossDelta = 2 }}},
		{"loss_quantile: 0.9: want it with loss quantile alone", []func(*job.Spec){regression, func(s *job.Spec) { s.Loss, s.LossQuantile = job.Huber, 0.9 }}},
		{"label_smoothing: 0.1: want it with loss softmax_cross_entropy alone", []func(*job.Spec){regression, func(s *job.Spec) { s.LabelSmoothing = 0.1 }}},
		{"", does(func(s *job.Spec) { s.LabelSmoothing = 0.1 })},
		{"focal_gamma: 2: want it with a loss of classes, not with mse", []func(*job.Spec){regression, func(s *job.Spec) { s.FocalGamma = 2 }}},
		{"focal_gamma: 2: label_smoothing is given as well, want one of them", does(func(s *job.Spec) { s.FocalGamma, s.LabelSmoothing = 2, 0.1 })},
		{"class_weights: want it with a loss of classes, not with mse", []func(*job.Spec){regression, func(s *job.Spec) { s.ClassWeights.Balanced = true }}},
		{"class_weights: label_smoothing is given as well, want one of them", does(func(s *job.Spec) { s.ClassWeights.Balanced, s.LabelSmoothing = true, 0.1 })},
		{"", does(func(s *job.Spec) { s.FocalGamma, s.ClassWeights.Of, s.Data.Weight = 2, map[string]float64{"a": 0}, "w" })},
		{"model.layers[1].dense.units: 3: the label has 2 columns, want as many units", []func(*job.Spec){regression, three, func(s *job.Spec) { s.Data.Label = job.Columns{"y", "z"} }}},
		{"model.layers[1].dense.units: 1: the label has 2 columns, want as many units", []func(*job.Spec){regression, func(s *job.Spec) { s.Data.Label = job.Columns{"y", "z"} }}},
		{"", []func(*job.Spec){regression, three, func(s *job.Spec) { s.Data.Label = job.Columns{"y", "z", "u"} }}},
		{`data.label[1]: "y": given twice`, []func(*job.Spec){regression, func(s *job.Spec) { s.Data.Label, s.Model.Layers[1].Dense.Units = job.Columns{"y", "y"}, 2 }}},
		{"data.label: 2 columns: with loss softmax_cross_entropy the label is a class, want 1 column", does(func(s *job.Spec) { s.Data.Label = job.Columns{"y", "z"} })},
		{"", []func(*job.Spec){regression, three, func(s *job.Spec) {
			s.Data.Label, s.Data.Transform.Label.Method = job.Columns{"y", "z", "u"}, "standard"
		}}},
		{"data.transform.label: standard: with loss multilabel_cross_entropy the labels are 0 or 1, want none", []func(*job.Spec){regression, func(s *job.Spec) {
			s.Loss, s.Data.Transform.Label.Method = job.MultilabelCrossEntropy, "standard"
		}}},
		{`model.layers[1].dense.activation: "tanh": with loss multilabel_cross_entropy, which applies its own, want none`, []func(*job.Spec){regression, func(s *job.Spec) {
			s.Loss, s.Model.Layers[1].Dense.Activation = job.MultilabelCrossEntropy, job.Tanh
		}}},
		{`data.weight: "y": this is the label`, does(func(s *job.Spec) { s.Data.Weight = "y" })},
		{"data.csv: only for format csv", []func(*job.Spec){idx, func(s *job.Spec) { s.Data.CSV = &job.CSVOptions{} }}},
		{"data.libsvm: only for format libsvm, not csv", does(func(s *job.Spec) { s.Data.LIBSVM = &job.LIBSVMOptions{} })},
		{"data.libsvm: only for format libsvm, not for inline rows", []func(*job.Spec){inline, func(s *job.Spec) { s.Data.LIBSVM = &job.LIBSVMOptions{} }}},
		{"data.libsvm.base: 2: want 0 or 1", does(func(s *job.Spec) { s.Data.Format, s.Data.LIBSVM = job.LIBSVM, &job.LIBSVMOptions{Base: 2} })},
		{"data.csv: only for format csv", []func(*job.Spec){inline, func(s *job.Spec) { s.Data.CSV = &job.CSVOptions{} }}},
		{"data.columns: only for format csv, jsonl, parquet, arrow, sql or libsvm", []func(*job.Spec){inline, func(s *job.Spec) { s.Data.Columns = map[string]job.ColumnSpec{} }}},
		{`data.csv.thousands: ".": it is the decimal point as well, want another data.csv.decimal`, does(func(s *job.Spec) { s.Data.CSV = &job.CSVOptions{Thousands: "."} })},
		{"", does(func(s *job.Spec) { s.Data.CSV = &job.CSVOptions{Thousands: ".", Decimal: ","} })},
		{"data.columns.a.parts: missing: want the parts of the date that become columns, of year, month, day, weekday, day_of_year, hour, minute, second, timestamp", column("a", job.ColumnSpec{Type: job.DateColumn})},
		{`data.columns.a.format: "%d %Q": the code "%Q": want one of %% %A %B %H %I %M %S %Y %Z %a %b %d %j %m %p %y %z`, column("a", job.ColumnSpec{Type: job.DateColumn, Parts: []job.DatePart{job.Day}, Format: "%d %Q"})},
		{`data.columns.a.as: "number": only for type date`, column("a", job.ColumnSpec{Type: job.NumberColumn, As: job.PartNumber})},
		{`data.columns.a.hash: 8: only for type category`, column("a", job.ColumnSpec{Type: job.NumberColumn, Hash: 8})},
		{`data.columns.a.hash: 1: want 2 to 1048576 buckets`, column("a", job.ColumnSpec{Type: job.CategoryColumn, Hash: 1})},
		{`data.columns.a.hash: -4: want 2 to 1048576 buckets`, column("a", job.ColumnSpec{Type: job.CategoryColumn, Hash: -4})},
		{"data.columns.y.type: drop: want number or category: this is the label", column("y", job.ColumnSpec{Type: job.DropColumn})},
		{"data.columns.w.type: category: want number: this is the weight", append(column("w", job.ColumnSpec{Type: job.CategoryColumn}), func(s *job.Spec) { s.Data.Weight = "w" })},
		{"", column("a", job.ColumnSpec{Type: job.DateColumn, Parts: []job.DatePart{job.Day}, Format: "%d.%m.%Y %H:%M"})},
		{`data.drop[0]: "w": this is the weight`, does(func(s *job.Spec) { s.Data.Weight, s.Data.Drop = "w", []string{"w"} })},
		{`data.weight: "w": only for format csv, jsonl, parquet, arrow, sql or libsvm`, []func(*job.Spec){idx, func(s *job.Spec) { s.Data.Weight = "w" }}},
		{"data.transform.label: standard: with loss poisson the label is a count or a rate, want none", []func(*job.Spec){regression, func(s *job.Spec) { s.Loss, s.Data.Transform.Label.Method = job.Poisson, "standard" }}},

		{"model.layers[0].dense.kernel_regularizer: the optimizer has clip_norm, want one of them (clip_value allows it)", does(func(s *job.Spec) {
			s.Model.Layers[0].Dense.KernelRegularizer, s.Optimizer.SGD.ClipNorm = &job.Regularizer{L1: 1}, 1
		})},
		{"model.layers[0].dense.kernel_regularizer: trainable is false, so that it changes nothing: want one of them", does(func(s *job.Spec) {
			s.Model.Layers[0].Dense.KernelRegularizer, s.Model.Layers[0].Dense.Trainable = &job.Regularizer{L1: 1}, new(bool)
		})},
		{"model.layers[0].dense.kernel_regularizer.l2: NaN: want a number of at least 0 that a 32-bit float can hold", does(func(s *job.Spec) {
			s.Model.Layers[0].Dense.KernelRegularizer = &job.Regularizer{L2: math.NaN()}
		})},
		{"", does(func(s *job.Spec) {
			s.Model.Layers[0].Dense.KernelRegularizer, s.Optimizer.SGD.ClipValue = &job.Regularizer{L1: 1, L2: 2}, 1
		})},
		{"optimizer: want exactly one of adagrad, adam, adamw, lion, rmsprop, sgd", does(func(s *job.Spec) { s.Optimizer = job.Optimizer{} })},
		{"optimizer: want exactly one of adagrad, adam, adamw, lion, rmsprop, sgd", does(func(s *job.Spec) { a := adam(); s.Optimizer.Adam = &a })},
		{"optimizer.sgd.nesterov: true: want a momentum above 0 with it", does(func(s *job.Spec) { s.Optimizer.SGD.Nesterov = true })},
		{"optimizer.sgd.learning_rate: 1e-60: want a number above 0 that a 32-bit float can hold", does(func(s *job.Spec) { s.Optimizer.SGD.LearningRate = 1e-60 })},
		{"optimizer.sgd.clip_norm: -1: want a number above 0 that a 32-bit float can hold", does(func(s *job.Spec) { s.Optimizer.SGD.ClipNorm = -1 })},
		{"optimizer.sgd.clip_norm: +Inf: want a number above 0 that a 32-bit float can hold", does(func(s *job.Spec) { s.Optimizer.SGD.ClipNorm = math.Inf(1) })},
		{"optimizer.sgd.learning_rate: NaN: want a number above 0 that a 32-bit float can hold", does(func(s *job.Spec) { s.Optimizer.SGD.LearningRate = math.NaN() })},
		{"optimizer.adamw.beta2: 0.99999999999: want a number of at least 0 and below 1, also as a 32-bit float", does(func(s *job.Spec) {
			a := adam()
			a.Beta2 = 0.99999999999
			s.Optimizer = job.Optimizer{AdamW: &a}
		})},
		{"optimizer.adam.clip_norm: 1e-60: want a number above 0 that a 32-bit float can hold", does(func(s *job.Spec) {
			a := adam()
			a.ClipNorm = 1e-60
			s.Optimizer = job.Optimizer{Adam: &a}
		})},
		{"", does(func(s *job.Spec) { s.Optimizer.SGD.ClipNorm = 0.5 })},
		{"", does(func(s *job.Spec) { s.Optimizer.SGD.ClipValue = 0.5 })},
	} {
		s := valid()
		for _, change := range c.change {
			change(s)
		}
		err := s.Validate()
		if c.want == "" {
			require.NoError(t, err)
			continue
		}
		require.EqualError(t, err, c.want)
		require.ErrorIs(t, err, job.ErrInvalid)
	}
}

func does(change func(*job.Spec)) []func(*job.Spec) { return []func(*job.Spec){change} }

func split(train, validation, test float64) func(*job.Spec) {
	return func(s *job.Spec) { s.Data.Split = job.SplitSpec{Train: train, Validation: validation, Test: test} }
}

// layers changes the model to dense layers with so many units.
func layers(units ...int) func(*job.Spec) {
	return func(s *job.Spec) {
		s.Model.Layers = nil
		for _, n := range units {
			s.Model.Layers = append(s.Model.Layers, job.Layer{Dense: &job.Dense{Units: n, Activation: job.NoActivation}})
		}
	}
}

// wideInline changes the data to one row with so many features.
func wideInline(features int) func(*job.Spec) {
	return func(s *job.Spec) {
		s.Data.Inline.X = []byte("[[1" + strings.Repeat(",1", features-1) + "]]")
	}
}

func adam() job.Adam { return job.Adam{LearningRate: 0.1, Beta1: 0.9, Beta2: 0.999, Epsilon: 1e-8} }

func TestAllFaultsAreJoined(t *testing.T) {
	err := new(job.Spec).Validate()
	require.EqualError(t, err, strings.Join([]string{
		"epochs: missing: want epochs or steps",
		"data: missing: want source or inline",
		"data.transform.label: : want none or standard",
		"data.split.train: 0: the fractions sum to 0, want 1",
		"model.layers: missing: want at least 1 layer",
		"optimizer: want exactly one of adagrad, adam, adamw, lion, rmsprop, sgd",
	}, "\n"))
	for _, e := range err.(interface{ Unwrap() []error }).Unwrap() {
		var f *job.Fault
		require.ErrorAs(t, e, &f)
		require.ErrorIs(t, e, job.ErrInvalid)
	}
}

// The features that ingest finds count like those in a spec, and no product overflows.
func TestCheckSizeWithFeatures(t *testing.T) {
	s := valid()
	layers(1<<20, 3)(s)
	require.NoError(t, s.CheckSize(0))
	for _, features := range []int{256, 1 << 40, math.MaxInt} {
		err := s.CheckSize(features)
		require.ErrorIs(t, err, job.ErrInvalid)
		require.ErrorContains(t, err, "model.layers[0].dense.units: 1048576: ")
		require.ErrorContains(t, err, "want at most 268435456")
	}
	for _, x := range []string{"", "[", "[]", "[[", "{}", "7", "[[1,", `[{"a":1}]`} {
		s := valid()
		s.Data.Inline = &job.Inline{X: []byte(x)}
		require.NotPanics(t, func() { _ = s.Validate() }, x)
	}
}

// column gives a column of the data a type.
func column(name string, c job.ColumnSpec) []func(*job.Spec) {
	return []func(*job.Spec){func(s *job.Spec) { s.Data.Columns = map[string]job.ColumnSpec{name: c} }}
}
