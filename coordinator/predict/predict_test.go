package predict

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"tributary/shared/dataset"
	"tributary/shared/job"
	networks "tributary/shared/model"
	"tributary/shared/readable"
	"tributary/shared/registry"
)

// Each row gives one line, for any text of a class, and each line can be read back.
func TestAPredictionIsALine(t *testing.T) {
	for v, want := range map[any]string{
		"plain": "plain", "": "", "a b": "a b", "é <&>": "é <&>", "007": "007", `say "x"`: `say "x"`,
		"two\nlines": `"two\nlines"`, "cr\rlf": `"cr\rlf"`, "\ttab": `"\ttab"`, "\u2028": `"\u2028"`, `"quoted"`: `"\"quoted\""`, "\x1b[2J": `"\u001b[2J"`,
		"<\n>":       `"<\n>"`,
		float32(0.1): "0.1", float32(1e-9): "1e-9", 0.1: "0.1", float32(16777216): "16777216", 9007199254740992.0: "9007199254740992",
	} {
		got, err := line(v)
		require.NoError(t, err)
		require.Equal(t, want, got)
	}
	got, err := line([]any{float32(1.5), 2.25})
	require.NoError(t, err)
	require.Equal(t, "[1.5,2.25]", got)
}

func TestPredictionsReadBack(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		classes := rapid.SliceOfN(rapid.String(), 1, 9).Draw(t, "classes")
		x := rapid.Float32().Draw(t, "x")
		var out bytes.Buffer
		p := newLines(&out, io.Discard)
		for _, class := range classes {
			require.NoError(t, p.print(registry.Answer{Prediction: class}))
		}
		require.NoError(t, p.print(registry.Answer{Prediction: x}))
		require.NoError(t, p.end(nil, nil))
		lines := strings.Split(strings.TrimSuffix(out.String(), "\n"), "\n")
		require.Len(t, lines, len(classes)+1)
		for i, class := range classes {
			got := lines[i]
			if strings.HasPrefix(got, `"`) {
				require.NoError(t, json.Unmarshal([]byte(lines[i]), &got))
			}
			require.Equal(t, class, got)
		}
		back, err := strconv.ParseFloat(lines[len(classes)], 32)
		require.NoError(t, err)
		require.Equal(t, x, float32(back))
	})
}

// model returns a linear model. For numbers it gives 2x + 1, for classes the second one
// if x > 0.
func model(t *testing.T, classes ...string) *registry.Model {
	t.Helper()
	column := dataset.Column{Name: "x", Kind: dataset.Numeric, Scale: 1}
	card := registry.Card{
		ID: "m-1", Classes: classes,
		Spec:          job.Spec{Loss: job.MSE, Model: job.Model{Layers: []job.Layer{{Dense: &job.Dense{Units: 1, Activation: job.NoActivation}}}}},
		Preprocessing: &dataset.Preprocessing{Columns: []dataset.Column{column}, Label: dataset.Column{Name: "y", Kind: dataset.Numeric, Scale: 1}},
	}
	params := []float32{2, 1}
	if len(classes) > 0 {
		card.Spec.Loss, card.Preprocessing.Label.Kind, params[1] = job.SigmoidCrossEntropy, dataset.Categorical, 0
	}
	m, err := registry.New(card, networks.Weights{Trained: params})
	require.NoError(t, err)
	return m
}

// printed returns the output of the command for rows.
func printed(t *testing.T, m *registry.Model, rows string, asJSON bool) (string, error) {
	t.Helper()
	t.Setenv("TMPDIR", t.TempDir())
	var out bytes.Buffer
	err := (&Command{Rows: Rows{Input: "-"}, JSON: asJSON}).predict(t.Context(), m, from(rows), &out, io.Discard)
	return out.String(), err
}

func TestALineForEachRow(t *testing.T) {
	out, err := printed(t, model(t), "y,x\n0,1\n0,2.5\n", false)
	require.NoError(t, err)
	require.Equal(t, "3\n6\n", out)

	// Each class takes one line, for any text, and no other class has the same line.
	out, err = printed(t, model(t, "a \"b\" <c>", "two\nlines"), "[[-1],[1],[1]]", false)
	require.NoError(t, err)
	require.Equal(t, "a \"b\" <c>\n\"two\\nlines\"\n\"two\\nlines\"\n", out)
	for class, want := range map[string]string{
		`"two\nlines"`: `"\"two\\nlines\""`, "\r": `"\r"`, "\u2028": `"\u2028"`, "\u0085": "\"\u0085\"", "\x1b[2J": `"\u001b[2J"`, "é": "é",
	} {
		got, err := line(class)
		require.NoError(t, err)
		require.Equal(t, want, got)
	}
}

func TestOneObject(t *testing.T) {
	for _, m := range []*registry.Model{model(t), model(t, "no", "two\nlines"), model(t, "<no>", "a & b")} {
		m.Card.Preprocessing.Columns[0].Fill = new(2.0)
		out, err := printed(t, m, "[[-1],[1],[0],[null]]", true)
		require.NoError(t, err)
		want, err := m.PredictJSON(t.Context(), []byte(`{"rows":[[-1],[1],[0],[null]]}`), registry.Limits{Rows: 9, Answer: 9999})
		require.NoError(t, err)
		require.Len(t, want.Notes, 1)
		want.Notes[0] = strings.Replace(want.Notes[0], "row 3", "row 4", 1) // in a file rows count from 1
		data, err := readable.JSON(want)
		require.NoError(t, err)
		require.Equal(t, string(data)+"\n", out, "the answer of the predict subject")
	}
}

// Notes are printed beside the lines, including those before a fault, and are in the JSON
// object.
func TestNotes(t *testing.T) {
	const note = `column "x": missing (in 2 rows, first in line 3): filled with 2, as in training`
	for rows, fault := range map[string]string{"y,x\n0,1\n0,\n0,NA\n": "", "y,x\n0,1\n0,\n0,NA\n0,oops\n": "line 5"} {
		for _, asJSON := range []bool{false, true} {
			m := model(t)
			m.Card.Preprocessing.Columns[0].Fill = new(2.0)
			t.Setenv("TMPDIR", t.TempDir())
			var out, aside bytes.Buffer
			err := (&Command{Rows: Rows{Input: "-"}, JSON: asJSON}).predict(t.Context(), m, from(rows), &out, &aside)
			require.Equal(t, fault == "", err == nil)
			switch {
			case !asJSON:
				require.Equal(t, "3\n5\n5\n", out.String())
				require.Equal(t, "note: "+note+"\n", aside.String())
			case fault == "":
				var p registry.Prediction
				require.NoError(t, json.Unmarshal(out.Bytes(), &p))
				require.Equal(t, []string{note}, p.Notes)
				require.Empty(t, aside.String(), "the object has them")
			default:
				require.ErrorContains(t, err, fault)
				require.Empty(t, out.String()+aside.String())
			}
		}
	}
}

// The rows before a fault have their lines; an object is complete or absent.
func TestABadRow(t *testing.T) {
	rows := "x\n" + strings.Repeat("1\n", 700) + "oops\n1\n"
	out, err := printed(t, model(t), rows, false)
	require.ErrorIs(t, err, job.ErrInvalid)
	require.ErrorContains(t, err, `--input -: line 702: column "x": text "oops" in a numeric column: want a number`)
	require.Equal(t, strings.Repeat("3\n", 700), out)
	out, err = printed(t, model(t), rows, true)
	require.ErrorContains(t, err, "line 702")
	require.Empty(t, out)
	_, err = printed(t, model(t), "x\n", false)
	require.ErrorContains(t, err, "there are no rows")
}

type closed struct{}

func (closed) Write([]byte) (int, error) { return 0, io.ErrClosedPipe }

func TestNobodyReadsTheAnswers(t *testing.T) {
	for _, asJSON := range []bool{false, true} {
		rows := strings.NewReader(strings.Repeat("[1]", 100_000))
		err := (&Command{Rows: Rows{Input: "-"}, JSON: asJSON}).predict(t.Context(), model(t), reader(rows), closed{}, io.Discard)
		require.ErrorIs(t, err, io.ErrClosedPipe)
		require.Equal(t, asJSON, rows.Len() == 0, "lines end at once")
	}
}

// pipe has endless rows and counts the rows read and the lines written.
type pipe struct {
	read, lines, most int
	stop              func(p *pipe) error
}

func (p *pipe) Read(b []byte) (int, error) {
	if err := p.stop(p); err != nil {
		return 0, err
	}
	n := 0
	for len(b)-n >= len("[1]\n") {
		n += copy(b[n:], "[1]\n")
	}
	p.read += n
	p.most = max(p.most, p.read/len("[1]\n")-p.lines)
	return n, nil
}

func (p *pipe) Write(b []byte) (int, error) {
	p.lines += bytes.Count(b, []byte("\n"))
	return len(b), nil
}

// Rows are streamed: the program holds few rows, for any number of them.
func TestRowsStreamThrough(t *testing.T) {
	end := errors.New("a broken disk")
	p := &pipe{stop: func(p *pipe) error {
		if p.read > 8<<20 {
			return end
		}
		return nil
	}}
	err := (&Command{Rows: Rows{Input: "-"}}).predict(t.Context(), model(t), reader(p), p, io.Discard)
	require.ErrorIs(t, err, end)
	require.NotErrorIs(t, err, job.ErrInvalid, "it is not the rows' fault")
	require.Greater(t, p.lines, 2<<20-1)
	require.Less(t, p.most, 64<<10, "rows that were read and not answered")
	require.Equal(t, p.read/len("[1]\n"), p.lines, fmt.Sprint("every row that was read has a line: ", p.lines))
}
