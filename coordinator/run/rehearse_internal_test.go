package run

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"tributary/shared/blob"
	"tributary/shared/job"
	"tributary/shared/spec"
)

// The spec alone shows what is wrong with the rows in it.
func TestRehearse(t *testing.T) {
	for name, c := range map[string]struct{ x, y, units, rest, want string }{
		"good":                    {`[1,2,3]`, `[1,2,4]`, "1", `"loss":"mse"`, ""},
		"good classes":            {`[1,2,3]`, `["a","b","a"]`, "2", `"loss":"softmax_cross_entropy","metrics":["auc"]`, ""},
		"good, weights unread":    {`[1,2,3]`, `[1,2,4]`, "1", `"loss":"mse","model":{"layers":[{"dense":{"units":1}}],"init":{"from":"job:other"}}`, ""},
		"lengths":                 {`[1,2,3]`, `[1,2]`, "1", `"loss":"mse"`, "data.inline: x has 3 rows, y has 2"},
		"ragged":                  {`[[1,2],[3]]`, `[1,2]`, "1", `"loss":"mse"`, "data.inline.x[1]: 1 values: want 2"},
		"text among numbers":      {`[1,"b"]`, `[1,2]`, "1", `"loss":"mse"`, `data.inline.x[1]: "b": want a finite number`},
		"a constant label":        {`[1,2]`, `[3,3]`, "1", `"loss":"mse"`, `label "y": 3 in every row: there is nothing to learn`},
		"outputs":                 {`[1,2]`, `[[3,4],[4,3]]`, "1", `"loss":"mse"`, "model.layers[0].dense.units: 1: the label has 2 columns"},
		"classes":                 {`[1,2,3]`, `["a","b","c"]`, "2", `"loss":"softmax_cross_entropy"`, "model.layers[0].dense.units: 2: the label has 3 classes"},
		"classes of sigmoid":      {`[1,2,3]`, `["a","b","c"]`, "1", `"loss":"sigmoid_cross_entropy"`, "sigmoid_cross_entropy takes two"},
		"a split of none":         {`[1,2,3]`, `[1,2,4]`, "1", `"loss":"mse","split":{"train":0.9,"test":0.1}`, "data.split.test: 0.1 of 3 rows is no row"},
		"the only batch is short": {`[1,2,3]`, `[1,2,4]`, "1", `"loss":"mse","drop_last":true`, "drop_last leaves out the only batch"},
		"too many steps":          {`[1` + strings.Repeat(",2", 99) + `]`, `[1` + strings.Repeat(",2", 99) + `]`, "1", `"loss":"mse","batch":1,"epochs":1000000`, "epochs or steps: the job would take 100000000 steps, want 1 to 10485760"},
	} {
		t.Run(name, func(t *testing.T) {
			var s map[string]any
			require.NoError(t, json.Unmarshal([]byte(fmt.Sprintf(
				`{"name":"a","model":{"layers":[{"dense":{"units":%s}}]},"optimizer":{"sgd":{"learning_rate":0.1}},"batch":4,"epochs":1}`, c.units)), &s))
			require.NoError(t, json.Unmarshal([]byte("{"+c.rest+"}"), &s))
			data := map[string]any{"inline": map[string]any{"x": json.RawMessage(c.x), "y": json.RawMessage(c.y)}}
			if split, ok := s["split"]; ok {
				data["split"] = split
				delete(s, "split")
			}
			s["data"] = data
			text, err := json.Marshal(s)
			require.NoError(t, err)
			asked, err := spec.Decode(text)
			require.NoError(t, err)
			err = Rehearse(t.Context(), asked)
			if c.want == "" {
				require.NoError(t, err)
				return
			}
			require.ErrorIs(t, err, job.ErrInvalid)
			require.ErrorContains(t, err, c.want)
		})
	}
	require.NoError(t, Rehearse(t.Context(), &job.Spec{Data: job.Data{Source: "a.csv"}}), "of a file nothing is known yet")
}

// table is a source of rows that fit a spec.
type table []byte

func (s table) Open(context.Context, string) (io.ReadCloser, error) {
	return io.NopCloser(bytes.NewReader(s)), nil
}

// An accepted spec is not refused later if data that fit it exist.
func TestWhatIsAcceptedIsPrepared(t *testing.T) {
	accepted := 0
	try := func(t *rapid.T) {
		pick := func(words ...string) string { return rapid.SampledFrom(words).Draw(t, "") }
		loss := pick(job.Loss("").Allowed()...)
		units := rapid.IntRange(1, 4).Draw(t, "units")
		field := func(name string, values ...string) string {
			if rapid.IntRange(0, 3).Draw(t, "") > 0 { // most fields are omitted, or few specs would be accepted
				return ""
			}
			return fmt.Sprintf("%s: %s, ", name, rapid.SampledFrom(values).Draw(t, name))
		}
		text := fmt.Sprintf(`{name: a, data: {source: in.csv, label: y, %s%s clean: {%s%s}, transform: {%s%s}}, model: {layers: [{dense: {units: 2, activation: relu}}, {dense: {units: %d, %s}}], init: {%s}}, loss: %s, optimizer: {%s}, batch: %s, %s%s%s%s%s%s%s%s%s}`,
			field("shuffle", "true", "false"), field("split", "{train: 1}", "{train: 0.5, test: 0.5}", "{train: 0.6, validation: 0.2, test: 0.2, stratify: true}"),
			field("missing", "drop", "mean", "median", "{constant: 2}"), field("duplicates", "drop", "keep"),
			field("scale", "none", "standard", "minmax", "{divide: 3}", "{divide: 0}"), field("label", "none", "standard", "minmax"),
			units, field("activation", "none", "tanh"), field("scheme", "zeros", "glorot_uniform"), loss,
			pick("sgd: {learning_rate: 0.1}", "sgd: {learning_rate: 1e-45}", "adam: {learning_rate: 0.1, beta1: 0.99999997}", "adamw: {learning_rate: 1, clip_norm: 1e-45}",
				"rmsprop: {learning_rate: 1, alpha: 0, centered: true, clip_value: 1e-45}", "adagrad: {learning_rate: 1, lr_decay: 1000000}", "lion: {learning_rate: 1, weight_decay: 1, decay_bias: false}"),
			pick("1", "7", "20", "64"), field("microbatches", "1", "3", "65"), pick("epochs: 1, ", "epochs: 1000, ", "steps: 10485760, ", "steps: 3, ", "steps: 10485761, "),
			field("metrics", "[accuracy]", "[auc, log_loss]", "[r2, rmse, mae]"), field("evaluate", "{every_steps: 1000000000}", "{every_epochs: 3}"),
			field("wire", "topk", "int8", "float32"), field("wire_keep", "0.5", "1e-9"), field("strict", "false"),
			field("class_weights", "balanced", "{'0': 3}"), field("focal_gamma", "2"))
		asked, err := spec.Decode([]byte(text))
		if err != nil {
			require.ErrorIs(t, err, job.ErrInvalid)
			return
		}
		accepted++
		classes := units
		switch {
		case asked.Loss == job.SigmoidCrossEntropy, asked.Loss == job.MultilabelCrossEntropy:
			classes = 2
		case !asked.Loss.Classifies():
			classes = 9
		}
		var rows strings.Builder
		rows.WriteString("a,c,y\n")
		for i := range 40 {
			fmt.Fprintf(&rows, "%d,%s,%d\n", i, []string{"u", "v"}[i%2], i/2%classes)
		}
		p, err := makePlan(t.Context(), Config{Sources: table(rows.String()), Blobs: blob.NewMemory(0), ChunkLen: chunkLen}, asked, nil)
		require.NoError(t, err, text)
		require.LessOrEqual(t, p.Steps(), int64(job.MaxJobSteps))
	}
	rapid.Check(t, func(t *rapid.T) {
		for range 20 {
			try(t)
		}
	})
	t.Log(accepted, "specs were accepted")
	require.Positive(t, accepted)
}
