package predict

import (
	"bytes"
	"context"
	"encoding/csv"
	"encoding/json"
	"io"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"tributary/shared/job"
	"tributary/shared/registry"
)

// inColumns returns the output of the command in a form with columns.
func inColumns(ctx context.Context, t require.TestingT, m *registry.Model, form, rows string, ids ...string) (string, error) {
	c := &Command{Rows: Rows{Input: "-"}, OutputFormat: form, ID: ids}
	require.NoError(t, c.Validate())
	var out bytes.Buffer
	err := c.predict(ctx, m, from(rows), &out, io.Discard)
	return out.String(), err
}

func TestColumns(t *testing.T) {
	const file = "id,x,note\n007,1,a\nNA,2.5,\"b, \"\"c\"\"\"\n"
	numbers, classes := model(t), model(t, "no", "yes, <b>")
	for _, c := range []struct {
		m          *registry.Model
		form, rows string
		ids        []string
		want       string
	}{
		{numbers, "csv", file, nil, "row,prediction\n1,3\n2,6\n"},
		{numbers, "csv", file, []string{"id"}, "id,prediction\n007,3\nNA,6\n"},
		{numbers, "csv", file, []string{"note", "x"}, "note,x,prediction\na,1,3\n\"b, \"\"c\"\"\",2.5,6\n"},
		{numbers, "jsonl", file, []string{"id"}, "{\"id\":\"007\",\"prediction\":3}\n{\"id\":\"NA\",\"prediction\":6}\n"},
		{numbers, "jsonl", `[[1],[2.5]]`, nil, "{\"row\":1,\"prediction\":3}\n{\"row\":2,\"prediction\":6}\n"},
		{numbers, "jsonl", `{"x":1,"id":9007199254740993}{"id":null,"x":2.5}`, []string{"id"}, "{\"id\":9007199254740993,\"prediction\":3}\n{\"id\":null,\"prediction\":6}\n"},
		{numbers, "csv", `{"rows":[{"x":1,"id":true},{"id":null,"x":2.5}]}`, []string{"id", "x"}, "id,x,prediction\ntrue,1,3\n,2.5,6\n"},
		{classes, "csv", "x\n0\n", nil, "row,prediction,probability_no,\"probability_yes, <b>\"\n1,no,0.5,0.5\n"},
		{classes, "jsonl", "x\n0\n", nil, "{\"row\":1,\"prediction\":\"no\",\"probability_no\":0.5,\"probability_yes, <b>\":0.5}\n"},
	} {
		out, err := inColumns(t.Context(), t, c.m, c.form, c.rows, c.ids...)
		require.NoError(t, err)
		require.Equal(t, c.want, out)
	}
}

// The rows before a fault are printed. Faults of the flags and of ids name the column.
func TestFaultsOfColumns(t *testing.T) {
	m := model(t)
	out, err := inColumns(t.Context(), t, m, "csv", "id,x\na,1\nb,oops\n", "id")
	require.ErrorContains(t, err, `line 3: column "x"`)
	require.Equal(t, "id,prediction\na,3\n", out)
	for _, c := range []struct {
		rows string
		ids  []string
		want string
	}{
		{"order,x\n1,1\n", []string{"ordr"}, `no column "ordr" among the 2 of the file, which begin ["order" "x"]; did you mean "order"?`},
		{`{"x":1}`, []string{"id"}, `row 1: column "id": missing`},
		{`{"x":1,"id":1}{"x":1}`, []string{"id"}, `row 2: column "id": missing`},
		{`{"x":1,"id":[1]}`, []string{"id"}, `row 1: column "id": an array: want a number, a string or null`},
		{`{"x":1,"id":{}}`, []string{"id"}, `row 1: column "id": an object`},
		{`{"x":1,"ID":1}`, []string{"id"}, `column "ID": the model has no such column`},
		{`[[1]]`, []string{"id"}, `row 1: a row that is an array has no column names: want objects or CSV with a column "id"`},
		{`[1]`, []string{"id"}, `has no column names`},
		{"\x00\x00\x08\x02\x00\x00\x00\x01\x00\x00\x00\x01\x05", []string{"id"}, `an IDX file has no column names`},
		{"x\n1\n", []string{"x", "x"}, `--id: "x" is given twice`},
		{"x\n1\n", []string{"prediction"}, `--id: "prediction" is the name of a column of the output`},
	} {
		_, err := inColumns(t.Context(), t, m, "jsonl", c.rows, c.ids...)
		require.ErrorIs(t, err, job.ErrInvalid, c.rows)
		require.ErrorContains(t, err, c.want)
	}
	require.ErrorContains(t, (&Command{ID: []string{"id"}, OutputFormat: "text"}).Validate(), "--id: want --output-format csv, jsonl or parquet")
}

// Ids come back as they were, for any text, and both forms agree.
func TestIDsReadBack(t *testing.T) {
	m := model(t)
	rapid.Check(t, func(t *rapid.T) {
		ids := rapid.SliceOfN(rapid.StringMatching(`[^\r]*`), 1, 600).Draw(t, "ids")
		var file bytes.Buffer
		w := csv.NewWriter(&file)
		require.NoError(t, w.Write([]string{"id", "x"}))
		for range ids {
			require.NoError(t, w.Write([]string{ids[0], "1"}))
			ids = append(ids[1:], ids[0])
		}
		w.Flush()
		out, err := inColumns(t.Context(), t, m, "csv", file.String(), "id")
		require.NoError(t, err)
		records, err := csv.NewReader(strings.NewReader(out)).ReadAll()
		require.NoError(t, err)
		require.Len(t, records, len(ids)+1)
		lines, err := inColumns(t.Context(), t, m, "jsonl", file.String(), "id")
		require.NoError(t, err)
		d := json.NewDecoder(strings.NewReader(lines))
		for i, id := range ids {
			require.Equal(t, []string{id, "3"}, records[i+1])
			var line struct {
				ID         string
				Prediction float64
			}
			require.NoError(t, d.Decode(&line))
			require.Equal(t, strings.ToValidUTF8(id, "\ufffd"), line.ID)
		}
	})
}
