package train

import (
	"bytes"
	"compress/gzip"
	"context"
	"encoding/binary"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"tributary/shared/job"
	"tributary/shared/spec"
)

// small is a job on a file of columns a and y in the folder DIR.
const small = `
name: small
data: {source: DIR/in.csv, label: y}
model: {layers: [{dense: {units: 1}}]}
loss: mse
optimizer: {sgd: {learning_rate: 0.1}}
batch: 4
epochs: 2
`

// change is a change of a spec: it replaces old by with.
type change struct{ old, with string }

var (
	classes  = change{"units: 1}}]}\nloss: mse", "units: 2}}]}\nloss: softmax_cross_entropy"}
	sigmoid  = change{"loss: mse", "loss: sigmoid_cross_entropy"}
	twoUnits = change{"units: 1}", "units: 2}"}
	packed   = change{"in.csv", "in.csv.gz"}
	idx      = change{"in.csv, label: y", "x.idx, labels: DIR/y.idx"}
)

// good is four rows that can be trained on.
const good = "a,y\n1,2\n2,3\n3,4\n4,5\n"

// Each fault of a spec or its data ends the command with a sentence. The sentence names
// the place, the value and what is allowed.
func TestBadInput(t *testing.T) {
	split := change{"label: y}", "label: y, split: {train: 0.5, test: 0.5}}"}
	for name, c := range map[string]struct {
		files   map[string]string
		changes []change
		want    []string
	}{
		"broken YAML":         {changes: []change{{"{source", "{{source"}}, want: []string{"spec", "line 3"}},
		"broken JSON":         {changes: []change{{small, `{"name": "x",`}}, want: []string{"spec"}},
		"empty spec":          {changes: []change{{small, ""}}, want: []string{"spec", "empty"}},
		"unknown field":       {changes: []change{{"batch: 4", "bach: 4"}}, want: []string{"bach", "batch"}},
		"unknown inner field": {changes: []change{{"label: y", "lable: y"}}, want: []string{"data.lable", "label"}},
		"wrong type":          {changes: []change{{"batch: 4", "batch: many"}}, want: []string{"batch", "many"}},
		"out of range":        {changes: []change{{"batch: 4", "batch: 0"}}, want: []string{"batch", "0", "1"}},
		"negative rate":       {changes: []change{{"learning_rate: 0.1", "learning_rate: -1"}}, want: []string{"optimizer.sgd.learning_rate", "-1"}},
		"unknown loss":        {changes: []change{{"loss: mse", "loss: hinge"}}, want: []string{"loss", "hinge", "mse", "half_squared_error"}},
		"many micro-batches":  {changes: []change{{"batch: 4", "batch: 4\nmicrobatches: 8"}}, want: []string{"microbatches", "8", "4"}},
		"over 1 MiB":          {changes: []change{{"epochs: 2", "epochs: 2\n#" + strings.Repeat("x", 1<<20)}}, want: []string{"spec", "1048576"}},
		"missing weights":     {changes: []change{{"units: 1}}]}", "units: 1}}], init: {from: DIR/none.safetensors}}"}}, want: []string{"model.init.from", "none.safetensors", "no such file"}},
		"bad weights":         {files: map[string]string{"w": "not weights"}, changes: []change{{"units: 1}}]}", "units: 1}}], init: {from: DIR/w}}"}}, want: []string{"model.init.from"}},

		"missing file":         {changes: []change{{"in.csv", "other.csv"}}, want: []string{"data.source", "other.csv", "no such file"}},
		"a mixed folder":       {files: map[string]string{"other.csv": "b,y\n1,2\n"}, changes: []change{{"DIR/in.csv", "DIR, format: csv"}}, want: []string{"data.source", "other.csv", "header"}},
		"missing bucket":       {changes: []change{{"DIR/in.csv", "nats:nowhere/in.csv"}}, want: []string{"data.source", "nowhere"}},
		"empty file":           {files: map[string]string{"in.csv": ""}, want: []string{"data.source", "in.csv", "empty file"}},
		"header only":          {files: map[string]string{"in.csv": "a,y\n"}, want: []string{"data.source", "no rows"}},
		"ragged":               {files: map[string]string{"in.csv": good + "5\n"}, want: []string{"line 6", "1 cells", "the header has 2"}},
		"text among numbers":   {files: map[string]string{"in.csv": repeated(100) + "abc,1\n"}, want: []string{"line 102", `column "a"`, `"abc"`, "numeric"}},
		"Infinity":             {files: map[string]string{"in.csv": good + "Infinity,6\n"}, want: []string{"line 6", `column "a"`, `"Infinity"`, "finite"}},
		"Inf":                  {files: map[string]string{"in.csv": good + "5,-Inf\n"}, want: []string{"line 6", `"y"`, `"-Inf"`, "finite"}},
		"too large":            {files: map[string]string{"in.csv": good + "1e39,6\n"}, want: []string{"row 5", `column "a"`, "1e+39", "32-bit"}},
		"no label column":      {changes: []change{{"label: y", "label: z"}}, want: []string{"data.label", `"z"`, `"a"`}},
		"label missing":        {files: map[string]string{"in.csv": "a,y\n1,\n2,\n"}, want: []string{`label "y"`, "missing in every row"}},
		"label constant":       {files: map[string]string{"in.csv": "a,y\n1,7\n2,7\n"}, want: []string{`label "y"`, "7 in every row"}},
		"one class":            {files: map[string]string{"in.csv": "a,y\n1,no\n2,no\n"}, changes: []change{classes}, want: []string{`label "y"`, `"no"`, "at least two classes"}},
		"class not trained on": {files: map[string]string{"in.csv": "a,y\n1,u\n2,v\n3,w\n4,u\n"}, changes: []change{classes, split}, want: []string{`label "y"`, "the training split has no row of class"}},
		"zero rows left":       {files: map[string]string{"in.csv": "a,y\n1,\n,2\n"}, want: []string{"no rows are left of 2"}},
		"empty split":          {changes: []change{{"label: y}", "label: y, split: {train: 0.99, test: 0.01}}"}}, want: []string{"data.split.test", "0.01 of 4 rows"}},
		"truncated gzip":       {files: map[string]string{"in.csv.gz": pack(t, repeated(1000), 100)}, changes: []change{packed}, want: []string{"data.source", "in.csv.gz", "truncated gzip"}},
		"truncated IDX":        {files: map[string]string{"x.idx": bytesIDX(4, 2)[:18], "y.idx": bytesIDX(4)}, changes: []change{idx, {"x.idx,", "x.idx, format: idx,"}}, want: []string{"data.source", "x.idx", "truncated"}},
		"other rows of labels": {files: map[string]string{"x.idx": bytesIDX(4, 2), "y.idx": bytesIDX(3)}, changes: []change{idx, {"x.idx,", "x.idx, format: idx,"}}, want: []string{"data.labels", "3", "4"}},
		"ragged inline":        {changes: []change{{"{source: DIR/in.csv, label: y}", "{inline: {x: [[1, 2], [3]], y: [1, 2]}}"}}, want: []string{"data.inline.x[1]", "1", "2"}},
		"x and y differ":       {changes: []change{{"{source: DIR/in.csv, label: y}", "{inline: {x: [1, 2], y: [1]}}"}}, want: []string{"data.inline", "x has 2 rows, y has 1"}},

		"units for no classes":  {files: map[string]string{"in.csv": "a,y\n1,u\n2,v\n3,w\n"}, changes: []change{classes}, want: []string{"model.layers[0].dense.units", "2", "3 classes"}},
		"units for one column":  {changes: []change{twoUnits}, want: []string{"model.layers[0].dense.units", "2", "1 column"}},
		"sigmoid of more":       {files: map[string]string{"in.csv": "a,y\n1,u\n2,v\n3,w\n"}, changes: []change{sigmoid}, want: []string{`label "y"`, "3 classes", "sigmoid_cross_entropy"}},
		"metric of another use": {changes: []change{{"epochs: 2", "epochs: 2\nmetrics: [accuracy]"}}, want: []string{"metrics[0]", "accuracy", "rmse"}},
		"nothing but a last":    {changes: []change{{"batch: 4", "batch: 8\ndrop_last: true"}}, want: []string{"batch", "8", "4 rows"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			text := small
			for _, ch := range c.changes {
				text = replaced(t, text, ch.old, ch.with)
			}
			dir := t.TempDir()
			write(t, dir, map[string]string{"in.csv": good})
			write(t, dir, c.files)
			err := refused(t, strings.ReplaceAll(text, "DIR", dir))
			for _, want := range c.want {
				require.ErrorContains(t, err, want)
			}
		})
	}
}

// refused trains a job that must fail soon and finally.
func refused(t *testing.T, text string) error {
	t.Helper()
	ctx, cancel := context.WithTimeoutCause(t.Context(), 20*time.Second, fmt.Errorf("hangs: %w", context.DeadlineExceeded))
	defer cancel()
	c := &Command{Workers: 1, Out: filepath.Join(t.TempDir(), "model")}
	var lines bytes.Buffer
	o, err := begin(ctx, ctx, c, text, &lines)
	require.Error(t, err)
	require.Nil(t, o)
	require.NotErrorIs(t, err, context.DeadlineExceeded)
	require.NoDirExists(t, c.Out)
	require.NotContains(t, job.Sentence(err), "invalid:", "the class is for programs")
	t.Log(job.Sentence(err))
	return err
}

func TestSpecFileThatIsTooLong(t *testing.T) {
	file := filepath.Join(t.TempDir(), "large.yaml")
	require.NoError(t, os.WriteFile(file, make([]byte, 3<<20), 0o600))
	text, err := spec.Read(file)
	require.NoError(t, err)
	require.ErrorContains(t, refused(t, string(text)), "1048576")
}

// A loss that is not a finite number ends the job with the step and the cause.
func TestDivergedTrainingFails(t *testing.T) {
	rate := change{"adam: {learning_rate: 0.003}", "sgd: {learning_rate: 1e6}"}
	err := refused(t, replaced(t, worked(t, "digits.yaml"), rate.old, rate.with))
	require.Regexp(t, `step \d+ of \d+: the loss is (NaN|[+-]Inf): training has diverged; a lower learning rate`, err.Error())

	// The step is the one whose loss metrics.jsonl would have; a job that ends before it
	// has only finite losses.
	diverging := func(steps int) string {
		return fmt.Sprintf(`{"name":"line","data":{"inline":{"x":[1,2,3,4,5],"y":[1,2,3,4,5]}},"model":{"layers":[{"dense":{"units":1}}]},
			"loss":"mse","optimizer":{"sgd":{"learning_rate":100000}},"batch":5,"steps":%d}`, steps)
	}
	require.ErrorContains(t, refused(t, diverging(50)), "step 7 of 50: the loss is +Inf")
	_, before := trained(t, diverging(6), 1)
	lines, err := os.ReadFile(filepath.Join(before, "metrics.jsonl"))
	require.NoError(t, err)
	require.Regexp(t, `\{"step":6,"epoch":6,"loss":\d`, string(lines))
	require.NotContains(t, string(lines), "null")

	// Parameters that overflow in the last step leave no loss to report.
	dir := t.TempDir()
	write(t, dir, map[string]string{"in.csv": "a,y\n1e18,2\n2e18,3\n"})
	text := replaced(t, small, "learning_rate: 0.1", "learning_rate: 1e6")
	text = replaced(t, text, "epochs: 2", "steps: 1")
	require.ErrorContains(t, refused(t, strings.ReplaceAll(text, "DIR", dir)), "the final parameters are not finite: training has diverged")
}

// There are 22 rows in batches of 8 rows with 8 micro-batches. The last batch has 6 rows,
// so two of its micro-batches are empty.
func TestShortLastBatch(t *testing.T) {
	dir := t.TempDir()
	write(t, dir, map[string]string{"in.csv": repeated(22)})
	text := replaced(t, small, "batch: 4", "batch: 8\nmicrobatches: 8")
	text = strings.ReplaceAll(replaced(t, text, "label: y", "label: y, transform: {scale: standard}"), "DIR", dir)
	want, serial := reference(t, decoded(t, text))
	for _, workers := range []int{1, 3} {
		o, _ := trained(t, text, workers)
		require.EqualValues(t, 6, o.Steps)
		require.Equal(t, want, o.ParametersSHA256)
		require.Equal(t, serial.Metrics, o.Metrics)
	}
}

func write(t *testing.T, dir string, files map[string]string) {
	t.Helper()
	for name, content := range files {
		require.NoError(t, os.WriteFile(filepath.Join(dir, name), []byte(content), 0o600))
	}
}

// repeated returns n rows of numbers.
func repeated(n int) string {
	var b strings.Builder
	b.WriteString("a,y\n")
	for i := range n {
		fmt.Fprintf(&b, "%d,%d\n", i, i%5)
	}
	return b.String()
}

// pack returns content as gzip, without its last bytes.
func pack(t *testing.T, content string, without int) string {
	t.Helper()
	var b bytes.Buffer
	z := gzip.NewWriter(&b)
	_, err := z.Write([]byte(content))
	require.NoError(t, err)
	require.NoError(t, z.Close())
	return b.String()[:b.Len()-without]
}

// bytesIDX is an IDX file of unsigned bytes.
func bytesIDX(dims ...int) string {
	out, n := []byte{0, 0, 8, byte(len(dims))}, 1
	for _, d := range dims {
		out, n = binary.BigEndian.AppendUint32(out, uint32(d)), n*d
	}
	for i := range n {
		out = append(out, byte(i))
	}
	return string(out)
}
