package spec_test

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"tributary/shared/job"
	"tributary/shared/spec"
)

// With one wrong field, the error names the value and what is allowed.
func TestFieldFaults(t *testing.T) {
	for line, want := range map[string]string{
		"batch: -3":                "batch: -3: want an integer from 1 to 1048576",
		"batch: 0":                 "batch: 0: want an integer from 1 to 1048576",
		"batch: 1048577":           "batch: 1048577: want an integer from 1 to 1048576",
		"batch: 2.5":               "batch: 2.5: want an integer from 1 to 1048576",
		"batch: many":              `batch: "many": want an integer from 1 to 1048576`,
		"batch:":                   "batch: null: want an integer from 1 to 1048576",
		"batch: {}":                "batch: {}: want an integer from 1 to 1048576",
		"batch: []":                "batch: an empty list: want an integer from 1 to 1048576",
		"bach: 3":                  "bach: unknown field; allowed: " + fields + `; did you mean "batch"?`,
		"seed: -1":                 "seed: -1: want an integer from 0 to 18446744073709551615",
		"epochs: 1000001":          "epochs: 1000001: want an integer from 1 to 1000000",
		"loss: mze":                `loss: "mze": want one of softmax_cross_entropy, sigmoid_cross_entropy, mse, half_squared_error, mae, huber, quantile, poisson, multilabel_cross_entropy; did you mean "mse"?`,
		"metrics: [f2]":            `metrics[0]: "f2": want one of accuracy, rmse, mae, r2, auc, log_loss, precision, recall, f1, brier, top_5_accuracy, mape, average_precision, confusion_matrix, expected_calibration_error`,
		"metrics: accuracy":        `metrics: "accuracy": want a list of at most 14 elements`,
		"metrics: [auc,auc]":       `metrics[1]: "auc": given twice`,
		"strict: 1":                "strict: 1: want true or false",
		"name: Big Name":           `name: "Big Name": want ` + job.IDRule,
		"id: a.b":                  `id: "a.b": want ` + job.IDRule,
		"id: ''":                   `id: "": want ` + job.IDRule,
		"optimizer: {}":            "optimizer: want exactly one of adagrad, adam, adamw, lion, rmsprop, sgd",
		"optimizer: adam":          `optimizer: "adam": want exactly one of adagrad, adam, adamw, lion, rmsprop, sgd`,
		"optimizer: {adamx: {}}":   `optimizer.adamx: unknown field; allowed: adagrad, adam, adamw, lion, rmsprop, sgd; did you mean "adam"?`,
		"optimizer: {rmsprob: {}}": `optimizer.rmsprob: unknown field; allowed: adagrad, adam, adamw, lion, rmsprop, sgd; did you mean "rmsprop"?`,
		"optimizer: {adam: {learning_rate: 1}, sgd: {learning_rate: 1}}": "optimizer: want exactly one of adagrad, adam, adamw, lion, rmsprop, sgd",
		"optimizer: {sgd: {}}":                                  "optimizer.sgd.learning_rate: missing: want a number above 0 and at most 1000000",
		"optimizer: {adam: {learning_rate: 0}}":                 "optimizer.adam.learning_rate: 0: want a number above 0 and at most 1000000",
		"optimizer: {adam: {learning_rate: 1, clip_norm: -1}}":  "optimizer.adam.clip_norm: -1: want a number from 0 to 1000000",
		"optimizer: {sgd: {learning_rate: 1, clip_norm: x}}":    `optimizer.sgd.clip_norm: "x": want a number from 0 to 1000000`,
		"optimizer: {lion: {learning_rate: 1, clip_value: -1}}": "optimizer.lion.clip_value: -1: want a number from 0 to 1000000",
		"optimizer: {adagrad: {learning_rate: 1, eps: 1}}":      "optimizer.adagrad.eps: unknown field; allowed: clip_norm, clip_value, decay_bias, ema_momentum, epsilon, initial_accumulator_value, learning_rate, lr_decay, weight_decay",
		"optimizer: {rmsprop: {learning_rate: 1, alpha: 1}}":    "optimizer.rmsprop.alpha: 1: want a number of at least 0 and below 1",
		"optimizer: {lion: {learning_rate: 1, decay_bias: 0}}":  "optimizer.lion.decay_bias: 0: want true or false",
		"optimizer: {adam: {learning_rate: 1, beta1: 1}}":       "optimizer.adam.beta1: 1: want a number of at least 0 and below 1",
		"optimizer: {adamw: {learning_rate: 1, epsilon: 0}}":    "optimizer.adamw.epsilon: 0: want a number above 0 and at most 1",
		"stop: {}":                  "stop.after_seconds: missing: want an integer from 1 to 1000000000",
		"threshold: {maximize: f2}": `threshold.maximize: "f2": want one of f1, balanced_accuracy`,
		"threshold: {maximize: f1}": "threshold: it needs two classes, the last layer has 3 units\nthreshold: it is chosen by the validation split: want data.split.validation above 0, or data.validation",
		"data: {source: a.csv, label: y, split: {k_folds: 5, train: 0.5}}": "data.split.train: 0.5: with k_folds want it left out: the folds say it",
		"data: {source: a.csv, label: y, split: {k_folds: 5, fold: 6}}":    "data.split.fold: 6: want 1 to 5",
		"data: {source: a.csv, label: y, split: {group: y}}":               `data.split.group: "y": this is the label`,
		"data: {source: a.csv, label: y, split: {group: g, time: t}}":      "data.split: 2 ways to split: want at most one of group, time, shuffle: false and stratify",
		"data: {source: a.csv, label: y, validation: a.csv}":               `data.validation: "a.csv": this is data.source as well: a figure of rows that were trained on, or chosen by, says nothing`,
		"data: {source: a.csv, label: y, drop: [g], split: {group: g}}":    `data.drop: "g": this is the column of data.split.group, which is no feature anyway`,
		"schedule: {cosin: {}}":                                                                                    `schedule.cosin: unknown field; allowed: cosine, exponential, linear, one_cycle, piecewise, reduce_on_plateau, step, warmup_steps; did you mean "cosine"?`,
		"schedule: {step: {steps: 0, gamma: 0.5}}":                                                                 "schedule.step.steps: 0: want an integer from 1 to 10485760",
		"schedule: {exponential: {gamma: 2}}":                                                                      "schedule.exponential.gamma: 2: want a number above 0 and at most 1",
		"schedule: {step: {steps: 1, gamma: 1}, cosine: {}}":                                                       "schedule: 2 kinds: want at most one of step, exponential, piecewise, linear, cosine, one_cycle, reduce_on_plateau",
		"schedule: {warmup_steps: 9, one_cycle: {}}":                                                               "schedule.warmup_steps: 9: one_cycle has its own warm-up, want one of them",
		"schedule: {cosine: {restart_factor: 2}}":                                                                  "schedule.cosine.steps: missing: want the length of the first fall with restart_factor",
		"schedule: {piecewise: {boundaries: [5,5], factors: [1,2]}}":                                               "schedule.piecewise.factors: 2 factors for 2 boundaries: want 3\nschedule.piecewise.boundaries[1]: 5: want rising steps from 1 on",
		"model: {layers: [{dropot: {}}]}":                                                                          "model.layers[0].dropot: unknown field; allowed: activation, average_pooling2d, batch_norm, conv2d, dense, dropout, flatten, global_average_pooling2d, global_max_pooling2d, group_norm, layer_norm, max_pooling2d, reshape, residual, rms_norm; did you mean \"dropout\"?",
		"model: {layers: [{dropout: {rate: 1}}, {dense: {units: 3}}]}":                                             "model.layers[0].dropout.rate: 1: want a number of at least 0 and below 1",
		"model: {layers: [{residual: {layers: []}}, {dense: {units: 3}}]}":                                         "model.layers[0].residual.layers: an empty list: want a list of 1 to 256 elements",
		"model: {layers: [{dense: {units: 4}}, {residual: {layers: [{dense: {units: 5}}]}}, {dense: {units: 3}}]}": "model.layers[1].residual: 4 units in, 5 out: want as many",
		"model: {layers: [{dense: {units: 3}}, {dropout: {rate: 0}}]}":                                             "model.layers[1]: dropout: want dense as the last layer",
		"model: {layers: []}":                                                                                      "model.layers: an empty list: want a list of 1 to 256 elements",
		"model: {layers: [{}]}":                                                                                    "model.layers[0]: want exactly one of activation, average_pooling2d, batch_norm, conv2d, dense, dropout, flatten, global_average_pooling2d, global_max_pooling2d, group_norm, layer_norm, max_pooling2d, reshape, residual, rms_norm",
		"model: {layers: [{conv: {}}]}":                                                                            "model.layers[0].conv: unknown field; allowed: activation, average_pooling2d, batch_norm, conv2d, dense, dropout, flatten, global_average_pooling2d, global_max_pooling2d, group_norm, layer_norm, max_pooling2d, reshape, residual, rms_norm; did you mean \"conv2d\"?",
		"model: {layers: [{dense: {units: 0}}]}":                                                                   "model.layers[0].dense.units: 0: want an integer from 1 to 1048576",
		"model: {layers: [{dense: {units: 3, activation: r}}]}":                                                    `model.layers[0].dense.activation: "r": want one of none, relu, tanh, sigmoid, gelu, gelu_tanh, silu, mish, softplus, leaky_relu, relu6, elu, selu, softsign, hard_sigmoid, hard_swish`,
		"model: {layers: [{dense: {units: 3}}], init: {scheme: x}}":                                                `model.init.scheme: "x": want one of torch_uniform, glorot_uniform, zeros`,
		"data: a.csv": `data: "a.csv": want an object with the fields arrays, clean, columns, csv, drop, format, inline, label, labels, libsvm, query, sha256, shuffle, source, split, test, test_labels, test_query, transform, validation, validation_labels, validation_query, weight`,
		"data: {source: a.csv, label: y, clen: 1}":                                    `data.clen: unknown field; allowed: arrays, clean, columns, csv, drop, format, inline, label, labels, libsvm, query, sha256, shuffle, source, split, test, test_labels, test_query, transform, validation, validation_labels, validation_query, weight; did you mean "clean"?`,
		"data: {source: a.csv, label: y, clean: {missing: men}}":                      `data.clean.missing: "men": want one of drop, mean, median, {constant: number}; did you mean "mean"?`,
		"data: {source: a.csv, label: y, clean: {missing: {constant: x}}}":            `data.clean.missing: {"constant":"x"}: want one of drop, mean, median, {constant: number}`,
		"data: {source: a.csv, label: y, clean: {missing: {constant: 1, divide: 1}}}": `data.clean.missing: {"constant":1,"divide":1}: want one of drop, mean, median, {constant: number}`,
		"data: {source: a.csv, label: y, transform: {scale: max}}":                    `data.transform.scale: "max": want one of none, standard, minmax, {divide: number}`,
		"data: {source: a.csv, label: y, transform: {categorical: x}}":                `data.transform.categorical: "x": want one of onehot, {embed: number}`,
		"data: {source: a.csv, label: y, split: {train: 1.5}}":                        "data.split.train: 1.5: want a number from 0 to 1",
		"data: {source: a.csv, label: y, format: xml}":                                `data.format: "xml": want one of csv, idx, jsonl, parquet, sql, libsvm, numpy, arrow`,
		"data: {source: a.csv, label: y, drop: ['']}":                                 `data.drop[0]: "": want a text of 1 to 1024 characters`,
		"data: {source: a.csv, label: y, shuffle: 'yes'}":                             `data.shuffle: "yes": want true or false`,
		"data: {inline: {x: 1, y: []}}":                                               "data.inline.x: 1: want a list of at least 1 element\ndata.inline.y: an empty list: want a list of at least 1 element",
		"data: {inline: {x: [1]}}":                                                    "data.inline.y: missing: want a list of at least 1 element",
	} {
		requireFaults(t, with(line), strings.Split(want, "\n")...)
	}
}

func TestMissingFields(t *testing.T) {
	requireFaults(t, "{}",
		"batch: missing: want an integer from 1 to 1048576",
		"data: missing: want an object with the fields arrays, clean, columns, csv, drop, format, inline, label, labels, libsvm, query, sha256, shuffle, source, split, test, test_labels, test_query, transform, validation, validation_labels, validation_query, weight",
		"loss: missing: want one of softmax_cross_entropy, sigmoid_cross_entropy, mse, half_squared_error, mae, huber, quantile, poisson, multilabel_cross_entropy",
		"model: missing: want an object with the fields init, layers",
		"name: missing: want "+job.IDRule,
		"optimizer: missing: want exactly one of adagrad, adam, adamw, lion, rmsprop, sgd",
	)
}

// Every fault of one stage is reported, the same in YAML and in JSON.
func TestAllFaultsAreReported(t *testing.T) {
	want := []string{
		"batch: -3: want an integer from 1 to 1048576",
		"data.split.train: \"x\": want a number from 0 to 1",
		"loss: \"mze\": want one of softmax_cross_entropy, sigmoid_cross_entropy, mse, half_squared_error, mae, huber, quantile, poisson, multilabel_cross_entropy; did you mean \"mse\"?",
		"sed: unknown field; allowed: " + fields + "; did you mean \"seed\"?",
	}
	requireFaults(t, `name: a
data: {source: a.csv, label: y, split: {train: x}}
model: {layers: [{dense: {units: 1}}]}
loss: mze
optimizer: {sgd: {learning_rate: 1}}
batch: -3
sed: 1
epochs: 1`, want...)
	requireFaults(t, `{"name": "a", "data": {"source": "a.csv", "label": "y", "split": {"train": "x"}},
		"model": {"layers": [{"dense": {"units": 1}}]}, "loss": "mze",
		"optimizer": {"sgd": {"learning_rate": 1}}, "batch": -3, "sed": 1, "epochs": 1}`, want...)
	requireFaults(t, with("data: {source: a.csv, split: {train: 0.9, test: 0.2}}")+"steps: 3\nmicrobatches: 512\n",
		"steps: 3: epochs is given as well, want one of them",
		"microbatches: 512: want at most the rows of a batch, 256",
		"data.label: missing: want the name of the label's column",
		"data.split.train: 0.9: the fractions sum to 1.1, want 1",
	)
}

func TestMessagesAreBounded(t *testing.T) {
	_, err := spec.Decode([]byte(with("loss: " + strings.Repeat("x", 100_000))))
	require.Less(t, len(err.Error()), 300)
	_, err = spec.Decode([]byte(with(strings.Repeat("k", 100_000) + ": 1")))
	require.Less(t, len(err.Error()), 500)
	_, err = spec.Decode([]byte(with("model: {layers: [" + strings.Repeat("1, ", 200) + "]}")))
	require.ErrorContains(t, err, "spec: 150 more faults")
}
