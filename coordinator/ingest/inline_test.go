package ingest

import (
	"encoding/json"
	"testing"

	"github.com/stretchr/testify/require"

	"tributary/shared/job"
)

func inlineSpec(loss job.Loss, x, y string) *job.Spec {
	return &job.Spec{Loss: loss, Data: job.Data{Inline: &job.Inline{X: json.RawMessage(x), Y: json.RawMessage(y)}}}
}

func TestInline(t *testing.T) {
	o := mustRun(t, inlineSpec(job.MSE, `[1,2,3,4,5]`, `[2,4,5,6,8]`), nil)
	require.Equal(t, [][]float32{{1}, {2}, {3}, {4}, {5}}, o.x[job.Train])
	require.Equal(t, [][]float32{{2}, {4}, {5}, {6}, {8}}, o.y[job.Train])
	require.Equal(t, "x0", o.Preprocessing.Columns[0].Name)

	o = mustRun(t, inlineSpec(job.MSE, `[[1,2],[3,4]]`, `[[1,0],[0,1]]`), nil)
	require.Equal(t, 2, o.Targets)
	require.Equal(t, [][]float32{{1, 0}, {0, 1}}, o.y[job.Train])

	o = mustRun(t, inlineSpec(job.SoftmaxCrossEntropy, `[[1],[2],[3],[4]]`, `["b","a","c",null]`), nil)
	require.Equal(t, []string{"a", "b", "c"}, o.Classes)
	require.Equal(t, [][]float32{{1}, {0}, {2}}, o.y[job.Train])

	o = mustRun(t, inlineSpec(job.SigmoidCrossEntropy, `[1,2,3]`, `[10,9,10]`), nil)
	require.Equal(t, []string{"9", "10"}, o.Classes)

	spec := inlineSpec(job.MSE, `[1,null,5]`, `[1,2,3]`)
	spec.Data.Clean.Missing.Method = "mean"
	o = mustRun(t, spec, nil)
	require.Equal(t, [][]float32{{1}, {3}, {5}}, o.x[job.Train])
}

func TestBadInline(t *testing.T) {
	for _, c := range []struct {
		loss       job.Loss
		x, y, want string
	}{
		{job.MSE, `[1,2]`, `[1]`, "data.inline: x has 2 rows, y has 1"},
		{job.MSE, `[[1,2],[3]]`, `[1,2]`, "data.inline.x[1]: 1 values: want 2, as in data.inline.x[0]"},
		{job.MSE, `[[1],2]`, `[1,2]`, "data.inline.x[1]: want an array of numbers"},
		{job.MSE, `[1,[2]]`, `[1,2]`, "data.inline.x[1]: [2]: want a finite number"},
		{job.MSE, `[[],[]]`, `[1,2]`, "data.inline.x[0]: 0 values"},
		{job.MSE, `[[1,2],[3,"NaN"]]`, `[1,2]`, `data.inline.x[1][1]: "NaN": want a finite number`},
		{job.MSE, `[1,1e999]`, `[1,2]`, "data.inline.x[1]: 1e999: want a finite number"},
		{job.MSE, `[1,2]`, `[1,"b"]`, `data.inline.y[1]: "b": want a finite number`},
		{job.MSE, `[1,2]`, `[[1,2],[3]]`, "data.inline.y[1]: 1 values: want 2"},
		{job.MSE, `[1,2]`, `[3,3]`, `label "y": 3 in every row`},
		{job.MSE, `[1,2]`, `[[1,3],[2,3]]`, `label "y": 3 in every row`},
		{job.MSE, `[]`, `[]`, "data.inline.x: want at least one row"},
		{job.MSE, `{"a":1}`, `[1]`, "data.inline.x: want an array"},
		{job.MSE, ``, `[1]`, "data.inline.x: want an array"},
		{job.SoftmaxCrossEntropy, `[1,2]`, `["a",{}]`, "data.inline.y[1]: {}: want a number, a string or a boolean"},
		{job.SoftmaxCrossEntropy, `[1,2]`, `[[1],[2]]`, "data.inline.y[0]: [1]: want a number, a string or a boolean"},
		{job.SoftmaxCrossEntropy, `[1,2]`, `["a","a"]`, `every row is of class "a"`},
	} {
		_, err := run(t, inlineSpec(c.loss, c.x, c.y), nil)
		require.ErrorIs(t, err, job.ErrInvalid, c.want)
		require.ErrorContains(t, err, c.want)
	}
}
