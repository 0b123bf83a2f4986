package registry

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"tributary/shared/dataset"
	"tributary/shared/job"
)

// wide are limits that no test reaches.
var wide = Limits{Rows: 1 << 20, Answer: 1 << 30}

// predict predicts on JSON rows.
func predict(t *testing.T, m *Model, rows string) (*Prediction, error) {
	t.Helper()
	return m.PredictJSON(t.Context(), []byte(`{"rows":`+rows+`}`), wide)
}

func TestPredictRegression(t *testing.T) {
	m := linear(t, job.MSE, nil, column("y"), 1, 1.4, 0.8)
	p, err := predict(t, m, `[[6], {"a": 1}, 2]`)
	require.NoError(t, err)
	data, err := json.Marshal(p)
	require.NoError(t, err)
	require.JSONEq(t, `{"model":"line-1","predictions":[9.2,2.2,3.6]}`, string(data))
}

func TestPredictUnscalesTheLabel(t *testing.T) {
	label := dataset.Column{Name: "y", Kind: dataset.Numeric, Shift: 100, Scale: 10}
	m := linear(t, job.HalfSquaredError, nil, label, 2, 1, 2, 0.5, 3, 4, 0.25)
	// [2 outputs, 2 inputs] = 1 2 / 0.5 3, b = 4, 0.25
	p, err := predict(t, m, `[[1, 1]]`)
	require.NoError(t, err)
	require.Equal(t, []any{[]any{170.0, 137.5}}, p.Predictions)
	require.Nil(t, p.Probabilities)
}

// Each output of a label of several columns is in the unit of its column.
func TestPredictUnscalesEachLabel(t *testing.T) {
	m := linear(t, job.MSE, nil, dataset.Column{Name: "y", Kind: dataset.Numeric, Shift: 100, Scale: 10}, 2, 1, 2, 0.5, 3, 4, 0.25)
	m.Card.Preprocessing.Labels = []dataset.Column{{Name: "z", Kind: dataset.Numeric, Shift: -1, Scale: 2}}
	p, err := predict(t, m, `[[1, 1]]`)
	require.NoError(t, err)
	require.Equal(t, []any{[]any{170.0, 6.5}}, p.Predictions)
}

// One sigmoid for each label.
func TestPredictSeveralLabels(t *testing.T) {
	m := linear(t, job.MultilabelCrossEntropy, nil, column("y"), 1, 1, -1, 0, 0)
	p, err := predict(t, m, `[[0]]`)
	require.NoError(t, err)
	require.Equal(t, []any{[]any{float32(0.5), float32(0.5)}}, p.Predictions)
}

// A Poisson regression predicts the rate e^z.
func TestPredictPoisson(t *testing.T) {
	m := linear(t, job.Poisson, nil, column("y"), 1, 1, 0)
	p, err := predict(t, m, `[[0], [1]]`)
	require.NoError(t, err)
	require.Equal(t, []any{float32(1), float32(math.E)}, p.Predictions)
	_, err = predict(t, m, `[[0], [100]]`)
	require.ErrorContains(t, err, "output +Inf is not a finite number")
}

func TestPredictClasses(t *testing.T) {
	label := dataset.Column{Name: "kind", Kind: dataset.Categorical}
	m := linear(t, job.SoftmaxCrossEntropy, []string{"cat", "dog"}, label, 1, 1, -1, 0, 0)
	p, err := predict(t, m, `[[2], [-2], [0]]`)
	require.NoError(t, err)
	require.Equal(t, []any{"cat", "dog", "cat"}, p.Predictions)
	require.Equal(t, []string{"cat", "dog"}, p.Classes)
	require.Len(t, p.Probabilities, 3)
	require.InDelta(t, 0.98201379, p.Probabilities[0][0], 1e-6) // 1/(1+e⁻⁴)
	require.InDelta(t, 1, p.Probabilities[1][0]+p.Probabilities[1][1], 1e-6)

	m = linear(t, job.SigmoidCrossEntropy, []string{"no", "yes"}, label, 1, 1, 0)
	p, err = predict(t, m, `[[2], [-2], [1e-20], [0]]`)
	require.NoError(t, err)
	require.Equal(t, []any{"yes", "no", "yes", "no"}, p.Predictions)
	require.Equal(t, []float32{0.5, 0.5}, p.Probabilities[2])
	require.InDelta(t, 0.88079708, p.Probabilities[0][1], 1e-6) // 1/(1+e⁻²)
	require.InDelta(t, 0.88079708, p.Probabilities[1][0], 1e-6)

	p, err = predict(t, m, `[[30], [-30]]`)
	require.NoError(t, err)
	require.InEpsilon(t, 9.357623e-14, p.Probabilities[0][0], 1e-6, "1/(1+e³⁰), and not 0")
	require.Equal(t, p.Probabilities[0][0], p.Probabilities[1][1])
}

// predictFile returns the predictions on a file's rows.
func predictFile(t *testing.T, m *Model, content string) (answers []any, err error) {
	t.Helper()
	_, err = m.PredictFile(t.Context(), strings.NewReader(content), dataset.Reading{}, func(a Answer) error {
		answers = append(answers, a.Prediction)
		return nil
	})
	return answers, err
}

// The prediction of a row does not depend on its chunk.
func TestPredictCSVInChunks(t *testing.T) {
	m := linear(t, job.MSE, nil, column("y"), 2, 1.5, -0.5, 0.25)
	var csv strings.Builder
	csv.WriteString("b,ignored,a,y\n")
	n := 2*chunkRows + 3
	for i := range n {
		fmt.Fprintf(&csv, "%d,x,%d,0\n", i, 2*i)
	}
	answers, err := predictFile(t, m, csv.String())
	require.NoError(t, err)
	require.Len(t, answers, n)
	for i, y := range answers {
		require.Equal(t, float32(1.5*float64(2*i)-0.5*float64(i)+0.25), y)
	}
}

func TestPredictRefuses(t *testing.T) {
	m := linear(t, job.MSE, nil, column("y"), 2, 1, 1, 1)
	for text, want := range map[string]string{
		`[]`:                           "rows: 0: want 1 to",
		`[[1,2],[1,2,3]]`:              "row 1: row of 3 values: the model takes 2",
		`[[1]]`:                        "row 0: row of 1 values: the model takes 2",
		`[{"a":1,"b":2,"nonsense":3}]`: `row 0: column "nonsense": the model has no such column`,
		`[{"a":1}]`:                    `row 0: column "b": missing`,
		`[["x",1]]`:                    `row 0: column "a": text "x" in a numeric column`,
		`[[1,true]]`:                   `row 0: column "b": a boolean: want a number`,
		`[3]`:                          "row 0: row is a number: want an array of 2 values",
		`[[1e39,1]]`:                   "row 0: column",
		`[[3e38,3e38]]`:                "row 0: output +Inf is not a finite number",
	} {
		_, err := predict(t, m, text)
		require.ErrorIs(t, err, job.ErrInvalid, text)
		require.ErrorContains(t, err, want)
	}
	answers, err := predictFile(t, m, "a,b\n1,2\n3,oops\n")
	require.Equal(t, []any{float32(4)}, answers, "of the rows before")
	require.ErrorIs(t, err, job.ErrInvalid)
	require.ErrorContains(t, err, "line 3")
	_, err = predictFile(t, m, "a,c\n1,2\n")
	require.ErrorContains(t, err, `no column "b"`)
	_, err = predictFile(t, m, "a,b\n")
	require.ErrorContains(t, err, "no rows")
}

// If an output is not a number, the error names its row, whichever chunk computes it.
func TestPredictNamesTheRowAtFault(t *testing.T) {
	m := linear(t, job.MSE, nil, column("y"), 2, 1, 1, 1)
	good, bad := "[1,1],", "[3e38,3e38]"
	for _, before := range []int{0, 3, chunkRows - 1, chunkRows} {
		for _, after := range []int{0, 1, chunkRows} {
			_, err := predict(t, m, "["+strings.Repeat(good, before)+bad+strings.Repeat(",[1,1]", after)+"]")
			require.ErrorIs(t, err, job.ErrInvalid)
			require.True(t, strings.HasPrefix(err.Error(), fmt.Sprintf("row %d: output +Inf", before)), err)

			csv := "a,b\n" + strings.Repeat("1,1\n", before) + "3e38,3e38\n" + strings.Repeat("1,1\n", after)
			_, err = predictFile(t, m, csv)
			require.True(t, strings.HasPrefix(err.Error(), fmt.Sprintf("line %d: output +Inf", before+2)), err)
		}
	}
}

// The error of a row without an answer names that row's line, although the rows of a chunk
// are computed together. All rows before it have their answers.
func TestPredictFileNamesTheRow(t *testing.T) {
	m := linear(t, job.MSE, nil, column("y"), 2, 1, 1, 1)
	for _, before := range []int{0, 1, chunkRows - 1, chunkRows, chunkRows + 1} {
		for bad, want := range map[string]string{
			"3e38,3e38": "output +Inf is not a finite number",
			"oops,1":    `column "a": text "oops"`,
			"":          "it is blank",
			"1":         "1 cells",
		} {
			answers, err := predictFile(t, m, "a,b\n"+strings.Repeat("1,2\n", before)+bad+"\n1,2\n1,2\n")
			require.ErrorIs(t, err, job.ErrInvalid)
			require.ErrorContains(t, err, fmt.Sprintf("line %d: ", before+2))
			require.ErrorContains(t, err, want)
			require.NotContains(t, strings.Replace(err.Error(), "line ", "", 1), "line ", "one place")
			require.Len(t, answers, before, bad)
		}
	}
	_, err := predict(t, m, "[[1,2]"+strings.Repeat(",[1,2]", chunkRows)+",[3e38,3e38]]")
	require.ErrorContains(t, err, fmt.Sprintf("row %d: output +Inf", chunkRows+1))
}

func TestPredictFileEndsWithItsAnswers(t *testing.T) {
	m := linear(t, job.MSE, nil, column("y"), 1, 1, 1)
	full := errors.New("full")
	n := 0
	_, err := m.PredictFile(t.Context(), strings.NewReader(strings.Repeat("[1]", 3*chunkRows)), dataset.Reading{}, func(Answer) error {
		n++
		return full
	})
	require.Equal(t, full, err)
	require.Equal(t, 1, n)
}

func TestPredictStops(t *testing.T) {
	m := linear(t, job.MSE, nil, column("y"), 1, 1, 1)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err := m.PredictFile(ctx, strings.NewReader(strings.Repeat("1\n", chunkRows+2)), dataset.Reading{Format: dataset.CSVInput}, func(Answer) error { return nil })
	require.Error(t, err)
	_, err = m.PredictJSON(ctx, []byte(`{"rows":[1`+strings.Repeat(",1", chunkRows)+`]}`), wide)
	require.Error(t, err)
}
