package spec_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"tributary/shared/job"
	"tributary/shared/spec"
)

// minimal is the shortest spec; the tables below change or add one line.
const minimal = `name: a
data: {source: a.csv, label: y}
model: {layers: [{dense: {units: 3}}]}
loss: softmax_cross_entropy
optimizer: {adam: {learning_rate: 0.1}}
batch: 256
epochs: 1
`

// with replaces the line with the same key in the minimal spec, or adds a line.
func with(line string) string {
	key, _, _ := strings.Cut(line, ":")
	var out []string
	for old := range strings.SplitSeq(minimal, "\n") {
		if !strings.HasPrefix(old, key+":") {
			out = append(out, old)
		}
	}
	return strings.Join(out, "\n") + line + "\n"
}

func requireFaults(t *testing.T, text string, want ...string) {
	t.Helper()
	_, err := spec.Decode([]byte(text))
	require.Error(t, err)
	require.Equal(t, strings.Join(want, "\n"), err.Error())
	require.ErrorIs(t, err, job.ErrInvalid)
	if joined, ok := err.(interface{ Unwrap() []error }); ok {
		for _, e := range joined.Unwrap() {
			require.ErrorIs(t, e, job.ErrInvalid)
		}
	}
}

func TestTextFaults(t *testing.T) {
	for text, want := range map[string]string{
		"":                         "spec: it is empty; want an object with the fields " + fields,
		"# nothing\n":              "spec: it is empty; want an object with the fields " + fields,
		"just words":               `spec: "just words": want an object with the fields ` + fields,
		"[1, 2]":                   "spec: a list of 2: want an object with the fields " + fields,
		"null":                     "spec: null: want an object with the fields " + fields,
		"name: a\n  batch: 3":      "spec: line 1, column 7: not YAML: mapping value is not allowed in this context",
		"name: [1, 2\nbatch: 3":    "spec: line 2, column 1: not YAML: ',' or ']' must be specified",
		"name: \"a\nbatch: 3":      "spec: line 1, column 7: not YAML: could not find end character of double-quoted text",
		"data:\n\tlabel: y":        "spec: line 2, column 1: not YAML: found character '\t' that cannot start any token",
		"name: a\nname: b":         `spec: line 2, column 1: not YAML: mapping key "name" already defined at [1:1]`,
		"name: a\n'name': b":       `spec: line 2, column 1: not YAML: mapping key "name" already defined at [1:1]`,
		"name: a\n\"\\x6eame\": b": `spec: line 2, column 1: not YAML: mapping key "name" already defined at [1:1]`,
		"name: a\n---\nname: b":    "spec: line 3: a second document begins; want one",
		"name: a\n1: b":            `spec: line 2: key "1": want a name (a number in quotes)`,
		"name: a\n? [a]\n: b":      "spec: line 3, column 1: not YAML: found an invalid key for this map",
		"a: &x {b: 1}\n<<: *x":     `spec: line 2: key "<<": want a name (a number in quotes)`,
		"name: !!binary aa":        `name: line 1: tag "!!binary": tags are not allowed`,
		"name: *x":                 "name: line 1: alias *x: there is no such anchor before it",
		"name: &x [*x]":            "name[0]: line 1: alias *x: there is no such anchor before it",
		"batch: .nan":              "batch: .nan: want a finite number",
		"batch: -.inf":             "batch: -.inf: want a finite number",
		"data: {inline: {x: [1, .NaN], y: [+.Inf, 1e999]}}": "data.inline.x[1]: .NaN: want a finite number\n" +
			"data.inline.y[0]: +.Inf: want a finite number\n" +
			"data.inline.y[1]: 1e999: want a number within the range of a 64-bit float",
		`{"name": "a",}`:                "spec: line 1, column 14: not JSON: invalid character '}' looking for beginning of object key string",
		"{\"name\": \"a\",\n \"b\"":     "spec: line 2, column 4: not JSON: unexpected end of JSON input",
		`{"name": "a"} {}`:              "spec: line 1, column 15: not JSON: invalid character '{' after top-level value",
		`{"name": NaN}`:                 "spec: line 1, column 10: not JSON: invalid character 'N' looking for beginning of value",
		`{"name": "a", "name": "a"}`:    "name: given twice",
		`{"data": {"a b": 1e400}}`:      `data["a b"]: 1e400: want a number within the range of a 64-bit float`,
		"name: \xff":                    "spec: the text is not UTF-8",
		"name: " + nested("[", "]", 40): "spec: line 1: lists and objects are nested more than 32 deep",
		strings.Repeat("- ", 1000):      "spec: line 1: lists and objects are nested more than 32 deep",
	} {
		requireFaults(t, text, want)
	}
}

const fields = "batch, checkpoint, class_weights, continue, data, drop_last, early_stopping, epochs, evaluate, focal_gamma, id, label_smoothing, loss, loss_delta, loss_quantile, max_slots, metrics, microbatches, model, name, notes, optimizer, priority, schedule, seed, steps, stop, strict, tags, threshold, wire, wire_keep"

func nested(open, shut string, n int) string {
	return strings.Repeat(open, n) + strings.Repeat(shut, n)
}

func TestDeepJSON(t *testing.T) {
	_, err := spec.Decode([]byte(`{"name": ` + nested("[", "]", 40) + `, "name": 1}`))
	require.EqualError(t, err, "name"+strings.Repeat("[0]", 31)+": lists and objects are nested more than 32 deep")
	_, err = spec.Decode([]byte(`{"a":` + strings.Repeat("[", 500_000)))
	require.ErrorIs(t, err, job.ErrInvalid)
}

func TestSize(t *testing.T) {
	require.Equal(t, 1<<20, spec.MaxBytes)
	requireFaults(t, minimal+"#"+strings.Repeat("x", spec.MaxBytes-len(minimal)),
		"spec: 1048577 bytes: want at most 1048576 (1 MiB); put the rows into a file and name it in data.source")
	_, err := spec.Decode([]byte(minimal + "#" + strings.Repeat("x", spec.MaxBytes-len(minimal)-1)))
	require.NoError(t, err)
}

func TestAliases(t *testing.T) {
	s, err := spec.Decode([]byte(with("model: {layers: [{dense: &d {units: 3}}, {dense: *d}]}")))
	require.NoError(t, err)
	require.Equal(t, 3, s.Model.Layers[1].Dense.Units)

	bomb := "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n"
	for i := 1; i < 30; i++ {
		bomb += fmt.Sprintf("a%d: &a%d [%s*a%d]\n", i, i, strings.Repeat(fmt.Sprintf("*a%d, ", i-1), 9), i-1)
	}
	_, err = spec.Decode([]byte(bomb))
	require.ErrorContains(t, err, "a6[0]: line 7: alias *a5: with all aliases written out the spec is over 2097152 bytes")
	require.Less(t, len(err.Error()), 20_000)

	long := "a: &a " + strings.Repeat("x", 1_000_000) + "\nb: [*a, *a, *a]\n"
	_, err = spec.Decode([]byte(long))
	require.ErrorContains(t, err, "b[1]: line 2: alias *a: with all aliases written out")
}

// These texts may take a parser quadratic time or worse.
func TestHostileTextsTakeLittleTime(t *testing.T) {
	var keys strings.Builder
	for i := range 30_000 {
		fmt.Fprintf(&keys, "k%d: 1\n", i)
	}
	for name, text := range map[string]string{
		"keys":    keys.String(),
		"blocks":  strings.Repeat("a: |\n  x\n", 30_000),
		"indents": strings.Repeat("- ", 150_000),
		"braces":  strings.Repeat("{", 60_000),
		"anchors": strings.Repeat("&a ", 60_000),
		"tags":    strings.Repeat("!a ", 60_000),
		"drops":   with("data: {source: a.csv, label: y, drop: [" + strings.Repeat("a, ", 60_000) + "]}"),
		"metrics": with("metrics: [" + strings.Repeat("auc, ", 60_000) + "]"),
		"layers":  with("model: {layers: [" + strings.Repeat("{}, ", 60_000) + "]}"),
		"numbers": with("data: {inline: {x: [" + strings.Repeat("1.25,", 60_000) + "], y: a}}"),
	} {
		start := time.Now()
		_, err := spec.Decode([]byte(text))
		require.ErrorIs(t, err, job.ErrInvalid, name)
		require.Less(t, time.Since(start), 20*time.Second, name)
		t.Log(name, time.Since(start), err.Error()[:min(len(err.Error()), 120)])
		require.Less(t, len(err.Error()), 20_000, name)
	}
}

func TestScalars(t *testing.T) {
	for text, want := range map[string]float64{
		"1e-3": 0.001, "1E-3": 0.001, "+1.5": 1.5, ".5": 0.5, "0.5": 0.5, "1.": 1, "010": 10, "0x10": 16, "0o17": 15, "1e3": 1000,
	} {
		s, err := spec.Decode([]byte(with("optimizer: {sgd: {learning_rate: " + text + "}}")))
		require.NoError(t, err, text)
		require.Equal(t, want, s.Optimizer.SGD.LearningRate, text)
	}
	for _, text := range []string{"'0.1'", `"1"`, "1_000", "no", "12:30", "true", "~", "0b1", "1e", "."} {
		_, err := spec.Decode([]byte(with("optimizer: {sgd: {learning_rate: " + text + "}}")))
		require.ErrorContains(t, err, "want a number above 0 and at most 1000000", text)
	}
	s, err := spec.Decode([]byte(with("seed: 18446744073709551615")))
	require.NoError(t, err)
	require.Equal(t, ^uint64(0), s.Seed)
	s, err = spec.Decode([]byte(with("batch: 1.0e2")))
	require.NoError(t, err)
	require.Equal(t, 100, s.Batch)
	s, err = spec.Decode([]byte(with("name: \"a\\x62\"")))
	require.NoError(t, err)
	require.Equal(t, "ab", s.Name)
}
