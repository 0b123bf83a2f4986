package spec_test

import (
	"bytes"
	"encoding/json"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"testing"

	"github.com/santhosh-tekuri/jsonschema/v6"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
	sigsyaml "sigs.k8s.io/yaml"

	"tributary/shared/job"
	"tributary/shared/spec"
)

// published compiles the schema from its text, as any other program does.
func published(t *testing.T) (root map[string]any, checker *jsonschema.Schema) {
	t.Helper()
	doc, err := jsonschema.UnmarshalJSON(bytes.NewReader(spec.Schema()))
	require.NoError(t, err)
	c := jsonschema.NewCompiler()
	require.NoError(t, c.AddResource("mem:///published.json", doc))
	checker, err = c.Compile("mem:///published.json")
	require.NoError(t, err)
	return doc.(map[string]any), checker
}

// grammar draws values that a schema describes, and some that are just outside of it.
type grammar struct {
	t    *rapid.T
	root map[string]any
}

func (g *grammar) resolve(schema map[string]any) map[string]any {
	if ref, ok := schema["$ref"].(string); ok {
		return g.root["$defs"].(map[string]any)[filepath.Base(ref)].(map[string]any)
	}
	return schema
}

func pick[T any](t *rapid.T, values ...T) T { return rapid.SampledFrom(values).Draw(t, "") }

func (g *grammar) often(percent int) bool { return rapid.IntRange(0, 99).Draw(g.t, "") < percent }

// draw draws a value for the field name.
func (g *grammar) draw(name string, schema map[string]any) any {
	schema = g.resolve(schema)
	if words, ok := schema["enum"].([]any); ok {
		return pick(g.t, words...)
	}
	if alternatives, ok := schema["oneOf"].([]any); ok {
		return g.draw(name, pick(g.t, alternatives...).(map[string]any))
	}
	bound := func(key string) []any {
		if b, ok := schema[key].(json.Number); ok {
			x, err := b.Float64()
			require.NoError(g.t, err)
			return []any{x}
		}
		return nil
	}
	switch schema["type"] {
	case "boolean":
		return rapid.Bool().Draw(g.t, "")
	case "integer":
		return pick(g.t, slices.Concat(bound("minimum"), bound("maximum"), []any{0, 1, 2, 3, 10485760, 10485761, 1.5})...)
	case "number":
		return pick(g.t, slices.Concat(bound("minimum"), bound("maximum"), bound("exclusiveMinimum"), bound("exclusiveMaximum"),
			[]any{0, 1, 0.5, 0.25, 1e-60, 7e-46, 1e-45, 0.99999997, 0.99999999, -1})...)
	case "string":
		switch name {
		case "source", "test", "labels", "test_labels", "validation", "validation_labels":
			return pick(g.t, "a.csv", "dir/B.CSV.GZ", "a.idx", "t10k-images-idx3-ubyte.gz", "x.IDX3", "nats:b/o", "a.csv.zip", "csv", "d/*.Tsv", "a.jsonl", "b.NDJSON.zst", "a.parquet", "sqlite:a.db", "postgres://u@h/d", "https://h/a.csv", "http://h/a.jsonl?n=1", "https://h/a?n=b.csv", "s3://bucket/a.csv.gz", "s3://b", "a.svm", "B.LibSVM.gz", "a.svmlight", "x.npy", "d.NPZ", "y.npy.gz", "a.arrow", "a.Feather.zst")
		}
		return pick(g.t, "a", "y", "")
	case "array":
		if name == "x" || name == "y" {
			return pick[any](g.t, []any{}, []any{1, 2}, []any{[]any{1, 2}, []any{3, 4}}, []any{"a", "b"})
		}
		list := []any{}
		for range rapid.IntRange(0, 2).Draw(g.t, "") {
			list = append(list, g.draw("", schema["items"].(map[string]any)))
		}
		return list
	default:
		out := map[string]any{}
		if byName, ok := schema["additionalProperties"].(map[string]any); ok {
			for range rapid.IntRange(0, 2).Draw(g.t, "") {
				out[pick(g.t, "a", "y", "b c", "")] = g.draw("", byName)
			}
			return out
		}
		properties := schema["properties"].(map[string]any)
		required, _ := schema["required"].([]any)
		for _, field := range slices.Sorted(maps.Keys(properties)) {
			if slices.Contains(required, any(field)) && g.often(97) || g.often(25) {
				out[field] = g.draw(field, properties[field].(map[string]any))
			}
		}
		return out
	}
}

// mutate redraws one field anywhere in an object, or leaves it out.
func (g *grammar) mutate(object, schema map[string]any) {
	properties := g.resolve(schema)["properties"].(map[string]any)
	field := pick(g.t, slices.Sorted(maps.Keys(properties))...)
	below := properties[field].(map[string]any)
	inner, nested := object[field].(map[string]any)
	switch _, ok := g.resolve(below)["properties"]; {
	case nested && ok && g.often(80):
		g.mutate(inner, below)
	case g.often(25):
		delete(object, field)
	default:
		object[field] = g.draw(field, below)
	}
}

// Specs that both the schema and Decode accept; the test changes them a little.
var bases = []string{
	`{"name":"a","data":{"source":"a.csv","label":"y"},"model":{"layers":[{"dense":{"units":3}}]},"loss":"softmax_cross_entropy","optimizer":{"adam":{"learning_rate":0.1}},"batch":4,"epochs":1}`,
	`{"name":"a","data":{"source":"a.csv","label":"y"},"model":{"layers":[{"dense":{"units":1}}]},"loss":"mse","optimizer":{"sgd":{"learning_rate":0.1}},"batch":4,"steps":1,"metrics":["r2"]}`,
	`{"name":"a","data":{"source":"a.idx","labels":"b.idx","split":{"train":0.5,"test":0.5}},"model":{"layers":[{"dense":{"units":2}}]},"loss":"half_squared_error","optimizer":{"adamw":{"learning_rate":0.1}},"batch":4,"steps":1}`,
	`{"name":"a","data":{"inline":{"x":[1,2],"y":[0,1]},"shuffle":false},"model":{"layers":[{"dense":{"units":1}}]},"loss":"sigmoid_cross_entropy","optimizer":{"sgd":{"learning_rate":0.1,"momentum":0.9,"nesterov":true}},"batch":2,"steps":1,"metrics":["auc"],"wire":"topk","wire_keep":0.5}`,
	`{"name":"a","data":{"source":"a.csv","label":"y"},"model":{"layers":[{"dense":{"units":1}}]},"loss":"mse","optimizer":{"sgd":{"learning_rate":0.1}},"batch":4,"steps":9,"schedule":{"cosine":{"steps":3,"restart_factor":2}}}`,
	`{"name":"a","data":{"source":"a.csv","label":"y"},"model":{"layers":[{"dense":{"units":1}}]},"loss":"huber","loss_delta":0.5,"optimizer":{"sgd":{"learning_rate":0.1}},"batch":4,"steps":1,"metrics":["mape"]}`,
	`{"name":"a","data":{"source":"a.csv","label":"y"},"model":{"layers":[{"dense":{"units":6}}]},"loss":"softmax_cross_entropy","label_smoothing":0.1,"optimizer":{"sgd":{"learning_rate":0.1}},"batch":4,"steps":1,"metrics":["f1","top_5_accuracy"]}`,
	`{"name":"a","data":{"source":"a.csv","label":"y","weight":"w"},"model":{"layers":[{"dense":{"units":3}}]},"loss":"softmax_cross_entropy","class_weights":{"a":2},"focal_gamma":2,"optimizer":{"sgd":{"learning_rate":0.1}},"batch":4,"epochs":1}`,
	`{"name":"a","data":{"source":"a.csv","label":"y"},"model":{"layers":[{"dense":{"units":6,"activation":"silu","kernel_regularizer":{"l1":0.1}}},{"group_norm":{"groups":2}},{"dense":{"units":3}}]},"loss":"softmax_cross_entropy","optimizer":{"sgd":{"learning_rate":0.1}},"batch":4,"epochs":1}`,
	`{"name":"a","data":{"source":"a.csv","label":"y"},"model":{"layers":[{"dense":{"units":6}},{"batch_norm":{"momentum":0.5,"epsilon":0.1}},{"dense":{"units":3}}]},"loss":"softmax_cross_entropy","optimizer":{"sgd":{"learning_rate":0.1}},"batch":4,"epochs":1}`,
	`{"name":"a","data":{"source":"a.csv","label":["y","a"]},"model":{"layers":[{"dense":{"units":2}}]},"loss":"multilabel_cross_entropy","optimizer":{"sgd":{"learning_rate":0.1}},"batch":4,"epochs":1}`,
	`{"name":"a","data":{"source":"a.csv","label":"y","csv":{"delimiter":";","decimal":",","thousands":".","names":["a","y"],"na":["-"]},"columns":{"a":{"type":"date","parts":["month"]}}},"model":{"layers":[{"dense":{"units":1}}]},"loss":"mse","optimizer":{"sgd":{"learning_rate":0.1}},"batch":4,"steps":1}`,
	`{"name":"a","data":{"source":"a.parquet","label":"y","columns":{"a":{"type":"number"}}},"model":{"layers":[{"dense":{"units":1}}]},"loss":"mse","optimizer":{"sgd":{"learning_rate":0.1}},"batch":4,"steps":1}`,
	`{"name":"a","data":{"source":"a.parquet","label":"y","columns":{"a":{"type":"category","hash":64}}},"model":{"layers":[{"dense":{"units":1}}]},"loss":"mse","optimizer":{"sgd":{"learning_rate":0.1}},"batch":4,"steps":1}`,
	`{"name":"a","data":{"source":"a.libsvm","libsvm":{"base":0}},"model":{"layers":[{"dense":{"units":1}}]},"loss":"mse","optimizer":{"sgd":{"learning_rate":0.1}},"batch":4,"steps":1}`,
	`{"name":"a","data":{"source":"a.libsvm"},"model":{"layers":[{"dense":{"units":1}}]},"loss":"mse","optimizer":{"sgd":{"learning_rate":0.1}},"batch":4,"steps":1}`,
	`{"name":"a","data":{"source":"a.npz","test":"a.npz","arrays":{"x":"a","test_y":"y"}},"model":{"layers":[{"dense":{"units":1}}]},"loss":"mse","optimizer":{"sgd":{"learning_rate":0.1}},"batch":4,"steps":1}`,
	`{"name":"a","data":{"source":"x.npy","labels":"y.npy"},"model":{"layers":[{"dense":{"units":1}}]},"loss":"mse","optimizer":{"sgd":{"learning_rate":0.1}},"batch":4,"steps":1}`,
	`{"name":"a","data":{"source":"a.arrow","label":"y"},"model":{"layers":[{"dense":{"units":1}}]},"loss":"mse","optimizer":{"sgd":{"learning_rate":0.1}},"batch":4,"steps":1}`,
	`{"name":"a","data":{"source":"sqlite:a.db","query":"SELECT 1","test_query":"SELECT 2","label":"y"},"model":{"layers":[{"dense":{"units":1}}]},"loss":"mse","optimizer":{"sgd":{"learning_rate":0.1}},"batch":4,"steps":1}`,
	`{"name":"a","data":{"source":"a.csv","label":"y"},"model":{"layers":[{"dense":{"units":3}}]},"loss":"softmax_cross_entropy","optimizer":{"rmsprop":{"learning_rate":0.1,"momentum":0.9,"centered":true,"clip_value":1}},"batch":4,"epochs":1}`,
	`{"name":"a","data":{"source":"a.csv","label":"y"},"model":{"layers":[{"dense":{"units":3}}]},"loss":"softmax_cross_entropy","optimizer":{"adagrad":{"learning_rate":0.1,"lr_decay":0.1}},"batch":4,"epochs":1}`,
	`{"name":"a","data":{"source":"a.csv","label":"y"},"model":{"layers":[{"dense":{"units":3}}]},"loss":"softmax_cross_entropy","optimizer":{"lion":{"learning_rate":0.1,"weight_decay":0.1,"decay_bias":false}},"batch":4,"epochs":1}`,
	`{"name":"a","data":{"source":"a.csv","label":"y","split":{"train":0.5,"validation":0.5}},"model":{"layers":[{"dense":{"units":3}}]},"loss":"softmax_cross_entropy","metrics":["accuracy"],"optimizer":{"adam":{"learning_rate":0.1,"ema_momentum":0.5}},"batch":4,"epochs":1,"early_stopping":{"monitor":"accuracy","patience":2,"min_delta":0.5,"restore_best":false}}`,
	`{"name":"a","data":{"source":"a.csv","label":"y","split":{"train":0.5,"validation":0.5}},"model":{"layers":[{"dense":{"units":1}}]},"loss":"mse","optimizer":{"sgd":{"learning_rate":0.1}},"batch":4,"epochs":1,"schedule":{"reduce_on_plateau":{"factor":0.5,"cooldown":1,"min_learning_rate":0.001}}}`,
	`{"name":"a","data":{"source":"a.csv","validation":"b.csv","label":"y"},"model":{"layers":[{"dense":{"units":1}}]},"loss":"mse","optimizer":{"sgd":{"learning_rate":0.1}},"batch":4,"epochs":1,"early_stopping":{}}`,
	`{"name":"a","data":{"source":"a.csv","label":"y","split":{"train":0.5,"validation":0.25,"test":0.25,"group":"g"}},"model":{"layers":[{"dense":{"units":1}}]},"loss":"mse","optimizer":{"sgd":{"learning_rate":0.1}},"batch":4,"epochs":1}`,
	`{"name":"a","data":{"source":"a.csv","label":"y","split":{"k_folds":5,"fold":2,"test":0.2,"time":"t"}},"model":{"layers":[{"dense":{"units":1}}]},"loss":"mse","optimizer":{"sgd":{"learning_rate":0.1}},"batch":4,"epochs":1,"early_stopping":{}}`,
	`{"name":"a","data":{"source":"a.csv","label":"y","split":{"train":0.5,"validation":0.5}},"model":{"layers":[{"dense":{"units":1}}]},"loss":"sigmoid_cross_entropy","threshold":{"maximize":"f1"},"optimizer":{"sgd":{"learning_rate":0.1}},"batch":4,"epochs":1,"stop":{"after_seconds":5},"checkpoint":{"final":false}}`,
	`{"name":"a","data":{"source":"a.csv","label":"y","split":{"k_folds":3,"shuffle":false}},"model":{"layers":[{"dense":{"units":1}}]},"loss":"mse","optimizer":{"sgd":{"learning_rate":0.1}},"batch":4,"epochs":1}`,
}

// unspeakable matches the faults that JSON Schema cannot express, as rules.go lists them.
var unspeakable = regexp.MustCompile(`^(data\.split\.train: .*fractions sum to|microbatches: .*want at most|microbatches: .*a micro-batch of|` +
	`data\.(source|test|labels|test_labels|validation|validation_labels): the address |model\.layers\[\d+\]\.dense\.(units|activation): |data\.drop\[\d+\]: .*this is the (label|weight)|data\.columns\..*\.(type: .*this is the (label|weight)|format: )|data\.weight: "[ay]": this is the label|data\.split\.(group|time): .*this is the (label|weight)|data\.(drop|columns): .*data\.split\.(group|time)|data\.split\.fold: \d+: want 1 to |data\.(validation|test): .* as well: a figure|threshold: it needs two classes, the last layer|metrics\[\d+\]: "(auc|brier|average_precision)": this metric needs two classes|metrics\[\d+\]: "confusion_matrix": this metric needs at most|metrics\[\d+\]: "top_5_accuracy": this metric needs more than 5 classes, the last layer|` +
	`data\.transform\.label: standard: it takes a label of one output|schedule\.piecewise\.(boundaries|factors)|schedule\.warmup_steps: \d+: the job has |(early_stopping|schedule\.reduce_on_plateau)\.monitor: |schedule\.reduce_on_plateau\.min_learning_rate: |` +
	`model\.layers\[.*\]\.residual: |model\.layers\[.*\.kernel_regularizer: the optimizer has clip_norm|model\.layers\[.*\.group_norm\.groups: \d+: want a divisor|model\.layers\[.*\.batch_norm: |model\.layers\[\d+\]: \w+: want dense as the last layer)`)

// The published schema refuses exactly what Decode refuses, except for the rules that
// JSON Schema cannot express.
func TestSchemaAndDecodeAgree(t *testing.T) {
	root, checker := published(t)
	agreed := map[bool]int{}
	check := func(t *rapid.T) {
		g := &grammar{t, root}
		var s map[string]any
		if g.often(90) {
			require.NoError(t, json.Unmarshal([]byte(pick(t, bases...)), &s))
			for range rapid.IntRange(0, 4).Draw(t, "changes") {
				g.mutate(s, root)
			}
		} else {
			s = g.draw("", root).(map[string]any)
		}
		text, err := json.Marshal(s)
		require.NoError(t, err)
		instance, err := jsonschema.UnmarshalJSON(bytes.NewReader(text))
		require.NoError(t, err)
		refused := checker.Validate(instance)
		_, err = spec.Decode(text)
		agreed[err == nil]++
		switch {
		case err == nil:
			require.NoError(t, refused, "%s", text)
		case refused == nil:
			for _, fault := range faultsOf(err) {
				require.Regexp(t, unspeakable, fault.Error(), "%s", text)
			}
		}
	}
	rapid.Check(t, func(t *rapid.T) {
		for range 30 {
			check(t)
		}
	})
	require.Positive(t, agreed[true], "some are accepted")
	require.Positive(t, agreed[false], "some are refused")
}

func faultsOf(err error) []error {
	if joined, ok := err.(interface{ Unwrap() []error }); ok {
		return joined.Unwrap()
	}
	return []error{err}
}

// Each rule for more than one field is in the published schema.
func TestSchemaHasTheRules(t *testing.T) {
	_, checker := published(t)
	for _, text := range bases {
		instance, err := jsonschema.UnmarshalJSON(bytes.NewReader([]byte(text)))
		require.NoError(t, err)
		require.NoError(t, checker.Validate(instance), "%s", text)
	}
	names, err := filepath.Glob(filepath.Join(jobs, "*.yaml"))
	require.NoError(t, err)
	require.NotEmpty(t, names)
	for _, name := range names {
		text, err := os.ReadFile(name)
		require.NoError(t, err)
		require.NoError(t, checker.Validate(asJSON(t, string(text))), name)
	}
	for _, change := range []string{
		"epochs: 1\nsteps: 1", "wire_keep: 0.5", "metrics: [rmse]", "metrics: [mape]", "loss_delta: 1", "loss_quantile: 0.5", "loss: mse\nlabel_smoothing: 0.1",
		"loss: huber\nloss_quantile: 0.5", "loss: quantile\nloss_quantile: 1", "loss: huber\nloss_delta: 0", "label_smoothing: 1.5",
		"focal_gamma: 11", "loss: mse\nfocal_gamma: 1", "focal_gamma: 1\nlabel_smoothing: 0.1", "loss: mse\nclass_weights: balanced", "class_weights: {}", "class_weights: {a: -1}",
		"class_weights: balanced\nlabel_smoothing: 0.1", "class_weights: even",
		"data: {source: a.csv, label: [a, b]}", "data: {source: a.csv, label: []}", "loss: mse\ndata: {source: a.csv, label: [a, a]}",
		"loss: multilabel_cross_entropy\ndata: {source: a.csv, label: y, transform: {label: standard}}",
		"data: {source: a.idx, labels: b, weight: w}", "data: {inline: {x: [1], y: [1]}, weight: w}",
		"loss: poisson\ndata: {source: a.csv, label: y, transform: {label: standard}}", "loss: sigmoid_cross_entropy\nmetrics: [top_5_accuracy]",
		"data: {source: a.csv}", "data: {source: a.csv, label: y, labels: b}", "data: {source: a.idx, label: y}", "data: {source: a.idx}",
		"data: {source: a, label: y}", "data: {source: a.csv, label: y, sha256: A}", "data: {inline: {x: [1], y: [1]}, sha256: 0000000000000000000000000000000000000000000000000000000000000000}", "data: {source: a.svm, csv: {trim: true}}", "data: {source: a.svm, labels: b}", "data: {source: a.arrow}", "data: {source: a.arrow, label: y, csv: {trim: true}}", "data: {source: a.npy}", "data: {source: a.npz, label: y}", "data: {source: a.npz, test: b.npy}", "data: {source: a.csv, label: y, arrays: {x: a}}", "data: {source: a.idx, labels: b, arrays: {}}", "data: {inline: {x: [1], y: [1]}, arrays: {}}", "data: {source: 'sqlite:a', label: y}", "data: {source: 'sqlite:a', label: y, query: ' '}", "data: {source: a.csv, label: y, query: SELECT 1}", "data: {source: a.csv, label: y, query: SELECT 1, format: sql}",
		"data: {source: 'sqlite:a', label: y, query: SELECT 1, test: 'sqlite:b'}", "data: {source: 'sqlite:a', label: y, query: SELECT 1, csv: {trim: true}}", "data: {source: 'sqlite:a', label: y, query: SELECT 1, format: csv}",
		"data: {source: 'sqlite:a', label: y, query: SELECT 1, test: a.csv, test_query: SELECT 2}", "data: {source: a.csv, label: y, test: 'sqlite:a'}", "data: {inline: {x: [1], y: [1]}, query: SELECT 1}", "data: {source: a.jsonl}", "data: {source: a.parquet, label: y, csv: {trim: true}}", "data: {source: a.idx, labels: b, columns: {}}",
		"data: {source: a.csv, label: y, csv: {thousands: .}}", "data: {source: a.csv, label: y, csv: {decimal: ',', thousands: ','}}",
		"data: {source: a.csv, label: y, columns: {a: {type: date}}}", "data: {source: a.csv, label: y, columns: {a: {type: number, as: number}}}",
		"data: {source: a.csv, label: y, csv: {na: none}}", "data: {source: a.csv, label: y, columns: {a: number}}", "data: {label: y}", "data: {source: a.csv, label: y, inline: {x: [1], y: [1]}}", "data: {inline: {x: [1], y: [1]}, label: y}",
		"data: {source: a.csv, label: y, test_labels: b}", "data: {source: a.idx, labels: b, test: c}",
		"data: {source: a.csv, label: y, test: t.csv, split: {train: 0.5, test: 0.5}}", "data: {source: a.csv, label: y, split: {test: 1}}",
		"data: {source: a.csv, label: y, transform: {label: standard}}", "data: {source: a.csv, label: y, transform: {label: minmax}}",
		"data: {source: a.csv, label: y, transform: {scale: {divide: 0}}}",
		"loss: mse\ndata: {source: a.csv, label: y, split: {train: 1, stratify: true}}",
		"threshold: {maximize: f1}", "threshold: {}", "threshold: {maximize: auc}", "data: {source: a.csv, label: y, split: {train: 1, k_folds: 5}}", "data: {source: a.csv, label: y, split: {k_folds: 1}}", "data: {source: a.csv, label: y, split: {k_folds: 5, validation: 0.5}}",
		"data: {source: a.csv, label: y, split: {k_folds: 5, test: 1}}", "data: {source: a.csv, label: y, split: {fold: 1}}", "data: {source: a.csv, label: y, split: {group: g, time: t}}",
		"data: {source: a.csv, label: y, split: {group: g, stratify: true}}", "data: {source: a.csv, label: y, split: {time: t, shuffle: false}}",
		"data: {inline: {x: [1], y: [1]}, split: {group: g}}", "data: {source: a.idx, labels: b, split: {time: t}}", "data: {source: a.idx, labels: b, validation: c}",
		"data: {source: a.csv, label: y, validation: b.csv, validation_labels: c}", "data: {source: a.csv, label: y, validation_labels: c}", "data: {inline: {x: [1], y: [1]}, validation: c}",
		"data: {source: a.csv, label: y, validation: b.csv, split: {train: 0.5, validation: 0.5}}", "data: {source: a.csv, label: y, validation: b.csv, split: {k_folds: 5}}",
		"model: {layers: [{dense: {units: 3}}], init: {scheme: zeros, from: w}}", "evaluate: {every_epochs: 1, every_steps: 1}",
		"model: {layers: [{dense: {units: 3, trainable: false, kernel_regularizer: {l1: 1}}}]}", "model: {layers: [{dense: {units: 3, kernel_regularizer: {l2: -1}}}]}",
		"model: {layers: [{group_norm: {}}, {dense: {units: 3}}]}", "model: {layers: [{batch_norm: {momentum: 0}}, {dense: {units: 3}}]}",
		"optimizer: {sgd: {learning_rate: 1, nesterov: true}}", "optimizer: {sgd: {learning_rate: 1e-60}}",
		"optimizer: {adam: {learning_rate: 1, beta1: 0.99999999}}", "optimizer: {adam: {learning_rate: 1, clip_norm: 1e-60}}",
		"optimizer: {rmsprop: {learning_rate: 1, alpha: 0.99999999}}", "optimizer: {adagrad: {learning_rate: 1e-60}}", "optimizer: {lion: {learning_rate: 1, clip_value: 1e-60}}",
		"optimizer: {lion: {learning_rate: 1, clip_value: 1, clip_norm: 1}}", "optimizer: {sgd: {learning_rate: 1, decay_bias: false}}",
		"steps: 10485761",
	} {
		_, err := spec.Decode([]byte(with(change)))
		require.ErrorIs(t, err, job.ErrInvalid, change)
		require.Error(t, checker.Validate(asJSON(t, with(change))), change)
	}
}

// asJSON converts a spec to JSON with another YAML parser.
func asJSON(t *testing.T, text string) any {
	t.Helper()
	data, err := sigsyaml.YAMLToJSON([]byte(text))
	require.NoError(t, err)
	instance, err := jsonschema.UnmarshalJSON(bytes.NewReader(data))
	require.NoError(t, err)
	return instance
}
