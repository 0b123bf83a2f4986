package registry

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"tributary/shared/dataset"
	"tributary/shared/job"
)

func evaluateFile(t *testing.T, m *Model, rows string, labels ...string) (*Evaluation, error) {
	t.Helper()
	how := Labelled{}
	if len(labels) > 0 {
		how.Labels = strings.NewReader(labels[0])
	}
	return m.EvaluateFile(t.Context(), strings.NewReader(rows), how)
}

// Worked out by hand: y = 2a + 1, errors 0, 1 and −2.
func TestEvaluateNumbers(t *testing.T) {
	m := linear(t, job.MSE, nil, column("y"), 1, 2, 1)
	m.Card.Spec.Metrics = []job.Metric{job.MAE, job.R2}
	for _, rows := range []string{
		"y,a,other\n3,1,\n,7,\n4,2,\n9,,\n1002,499.5,\n",
		`{"a":1,"y":3}{"a":7,"y":null}{"a":2,"y":4}{"y":"9","a":null}{"a":499.5,"y":"1002"}`,
	} {
		v, err := evaluateFile(t, m, rows)
		require.NoError(t, err)
		require.Equal(t, 3, v.Rows)
		require.InDelta(t, 5.0/3, v.Metrics["loss"], 1e-6)
		require.Equal(t, 1.0, v.Metrics["mae"])
		require.Equal(t, []string{"1 rows without a label were left out, as in training", "1 rows without a value in a column whose missing values training did not fill were left out, as in training"}, v.Notes)
	}
	m.Card.Preprocessing.Label.Form = &dataset.Form{Decimal: ","}
	v, err := evaluateFile(t, m, "a,y\n1,\"2,5\"\n")
	require.NoError(t, err)
	require.Equal(t, 0.5, v.Metrics["mae"], "labels are read as in training")
	m.Card.Preprocessing.Label.Form = nil
	v, err = evaluateFile(t, m, "a,y\n1,3\n")
	require.NoError(t, err)
	require.Nil(t, v.Confusion)
	require.Contains(t, v.Undefined, "r2")
}

func TestEvaluateClasses(t *testing.T) {
	label := dataset.Column{Name: "kind", Kind: dataset.Categorical}
	m := linear(t, job.SoftmaxCrossEntropy, []string{"2", "10"}, label, 1, 1, -1, 0, 0)
	m.Card.Spec.Metrics = []job.Metric{job.Accuracy}
	m.Card.Spec.Data.Clean.Duplicates = job.DropDuplicates
	for _, rows := range []string{"a,kind\n1,2\n-1,10.0\n1,1e1\n1, 2 \n", `{"a":1,"kind":2}{"a":-1,"kind":10.0}{"a":1,"kind":"10"}{"a":1,"kind":"2"}`} {
		v, err := evaluateFile(t, m, rows)
		require.NoError(t, err)
		require.Equal(t, 0.75, v.Metrics["accuracy"], "classes that are numbers are compared as numbers")
		require.Equal(t, [][]int64{{2, 0}, {1, 1}}, v.Confusion.Matrix)
		require.Equal(t, []string{"2", "10"}, v.Confusion.Names())
		require.Equal(t, []string{"training dropped duplicate rows; this evaluation counts them"}, v.Notes)
	}
	m = linear(t, job.SigmoidCrossEntropy, []string{"2", "2.0"}, label, 1, 1, 0)
	m.Card.Spec.Metrics = []job.Metric{job.Accuracy}
	v, err := evaluateFile(t, m, "a,kind\n1,2.0\n-1,2\n")
	require.NoError(t, err)
	require.Equal(t, 1.0, v.Metrics["accuracy"], "these are texts")
	_, err = evaluateFile(t, m, "a,kind\n1,2.00\n")
	require.ErrorContains(t, err, `line 2: label "kind": "2.00" is not among the 2 classes of the model, which begin ["2" "2.0"]; did you mean "2.0"?`)
}

func TestEvaluateRefuses(t *testing.T) {
	numbers := linear(t, job.MSE, nil, column("y"), 1, 2, 1)
	counts := linear(t, job.Poisson, nil, column("y"), 1, 2, 1)
	several := linear(t, job.MSE, nil, column("y"), 1, 2, 1, 1, 1)
	const labels, both = "\x00\x00\x08\x01\x00\x00\x00\x02\x03\x04", "\x00\x00\x08\x02\x00\x00\x00\x01\x00\x00\x00\x02\x03\x04"
	for _, c := range []struct {
		m    *Model
		rows string
		idx  []string
		want string
	}{
		{numbers, "a\n1\n", nil, `header: no column "y" among the 1 of the file`},
		{numbers, "a,y\n1,x\n", nil, `line 2: label "y": text "x" in a numeric column`},
		{numbers, "a,y\n1,NaN\n", nil, `line 2: label "y": "NaN": want a finite number`},
		{numbers, "a,y\nx,1\n", nil, `line 2: column "a": text "x"`},
		{numbers, "a,y\n,1\n1,\n", nil, "no rows to evaluate: 1 have no label, 1 have missing values"},
		{numbers, "a,y\n", nil, "no rows to evaluate: 0 have"},
		{numbers, `{"a":1}`, nil, `row 1: column "y": missing`},
		{numbers, `{"a":1,"y":[1]}`, nil, `row 1: column "y": an array`},
		{numbers, `{"a":1,"y":1e999}`, nil, `row 1: label "y": +Inf: want a finite number`},
		{numbers, `{"a":1,"y":true}`, nil, `row 1: label "y": true in a numeric column`},
		{numbers, `[[1]]`, nil, "a row that is an array has no column names"},
		{counts, "a,y\n1,-1\n", nil, `line 2: label "y": -1`},
		{several, "a,y\n1,1\n", nil, "the model has 2 outputs: want a file of labels [rows, 2]"},
		{several, "a\n1\n", []string{labels}, "labels: 1 labels in a row: the model has 2"},
		{numbers, "a\n1\n", []string{labels}, "labels: 2 labels for 1 rows"},
		{numbers, "a\n1\n2\n3\n", []string{labels}, "line 4: labels: 2 labels, and more rows"},
		{numbers, "a\n1\n2\n", []string{labels[:9]}, "line 3: labels: truncated IDX: ends after 1 of 2 labels"},
		{numbers, "a\n1\n2\n", []string{labels + "x"}, "labels: bytes after the last value"},
		{numbers, "a\n1\n2\n", []string{"a,b\n1,2\n"}, "labels: begins with"},
	} {
		_, err := evaluateFile(t, c.m, c.rows, c.idx...)
		require.ErrorIs(t, err, job.ErrInvalid, c.want)
		require.ErrorContains(t, err, c.want)
	}
	v, err := evaluateFile(t, several, "a\n1\n", both)
	require.NoError(t, err)
	require.Equal(t, 1, v.Rows)
}

// A label of several columns is read from the columns of the rows, each in its own unit.
func TestEvaluateSeveralLabels(t *testing.T) {
	m := linear(t, job.MSE, nil, column("y"), 1, 2, 1, 1, 1)
	m.Card.Spec.Metrics = []job.Metric{job.MAE}
	m.Card.Preprocessing.Labels = []dataset.Column{{Name: "z", Kind: dataset.Numeric, Scale: 10, Form: &dataset.Form{Sign: "$"}}}
	for _, rows := range []string{"z,a,y\n$30,1,3\n,1,3\n", `{"a":1,"z":"$30","y":3}{"y":1,"a":2,"z":null}`} {
		v, err := evaluateFile(t, m, rows)
		require.NoError(t, err)
		require.Equal(t, 1, v.Rows, "a row without one label is left out")
		require.Equal(t, 5.0, v.Metrics["mae"])
	}
	for rows, want := range map[string]string{
		"a,y\n1,3\n":       `header: no column "z"`,
		"a,y,z\n1,3,red\n": `line 2: label "z": text "red" in a numeric column`,
	} {
		_, err := evaluateFile(t, m, rows)
		require.ErrorIs(t, err, job.ErrInvalid)
		require.ErrorContains(t, err, want)
	}
}
