package predict

import (
	"bytes"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"tributary/shared/dataset/parquet"
	"tributary/shared/dataset/tabular"
	"tributary/shared/job"
)

// cellsOf returns the names, the kinds and the rows of a Parquet file.
func cellsOf(t *testing.T, file []byte) (names []string, kinds []tabular.Kind, rows [][]string) {
	t.Helper()
	f, err := parquet.Open(bytes.NewReader(file), int64(len(file)))
	require.NoError(t, err)
	defer f.Close()
	for {
		row, err := f.Next()
		if errors.Is(err, io.EOF) {
			return f.Names, f.Kinds, rows
		}
		require.NoError(t, err)
		rows = append(rows, append([]string{}, row...))
	}
}

// A Parquet file has the columns in the order of the other forms, with their types.
func TestParquetColumns(t *testing.T) {
	const file = "id,x,note\n007,1,a\nNA,2.5,\"b, \"\"c\"\"\"\n"
	numbers, classes := model(t), model(t, "no", "yes, <b>")
	text, number := tabular.Text, tabular.Any
	out, err := inColumns(t.Context(), t, classes, "parquet", file, "note", "id")
	require.NoError(t, err)
	names, kinds, rows := cellsOf(t, []byte(out))
	require.Equal(t, []string{"note", "id", "prediction", "probability_no", "probability_yes, <b>"}, names)
	require.Equal(t, []tabular.Kind{text, text, text, number, number}, kinds)
	require.Len(t, rows, 2)
	require.Equal(t, []string{`b, "c"`, "NA", "yes, <b>"}, rows[1][:3])

	out, err = inColumns(t.Context(), t, numbers, "parquet", `{"x":1,"id":null}{"x":2.5,"id":9007199254740993}`, "id")
	require.NoError(t, err)
	_, _, rows = cellsOf(t, []byte(out))
	require.Equal(t, [][]string{{"", "3"}, {"9007199254740993", "6"}}, rows)

	out, err = inColumns(t.Context(), t, numbers, "parquet", file)
	require.NoError(t, err)
	names, kinds, rows = cellsOf(t, []byte(out))
	require.Equal(t, []string{"row", "prediction"}, names)
	require.Equal(t, []tabular.Kind{number, number}, kinds)
	require.Equal(t, [][]string{{"1", "3"}, {"2", "6"}}, rows)
}

// Row groups end in time, so that memory stays bounded, and the file is whole.
func TestParquetOfManyRows(t *testing.T) {
	const n = 600_000
	out, err := inColumns(t.Context(), t, model(t), "parquet", "x\n"+strings.Repeat("1\n", n))
	require.NoError(t, err)
	f, err := parquet.Open(strings.NewReader(out), int64(len(out)))
	require.NoError(t, err)
	require.EqualValues(t, n, f.Rows)
}

// A file of answers has the form that its name shows. It appears when it is whole.
func TestOutputFile(t *testing.T) {
	m, dir := model(t), t.TempDir()
	for name, want := range map[string]string{"a.csv": "row,prediction\n1,3\n", "a.JSONL": "{\"row\":1,\"prediction\":3}\n", "a.txt": "3\n"} {
		c := &Command{Rows: Rows{Input: "-"}, Output: filepath.Join(dir, name)}
		require.NoError(t, c.Validate())
		require.NoError(t, written(c.Output, func(w io.Writer) error { return c.predict(t.Context(), m, from("x\n1\n"), w, io.Discard) }))
		got, err := os.ReadFile(c.Output)
		require.NoError(t, err)
		require.Equal(t, want, string(got))
	}
	c := &Command{Rows: Rows{Input: "-"}, Output: filepath.Join(dir, "bad.parquet")}
	err := written(c.Output, func(w io.Writer) error {
		return c.predict(t.Context(), m, from("x\n1\nno\n"), w, io.Discard)
	})
	require.ErrorIs(t, err, job.ErrInvalid)
	require.ErrorContains(t, err, "--input -: line 3")
	left, err := os.ReadDir(dir)
	require.NoError(t, err)
	require.Len(t, left, 3)
	require.ErrorContains(t, written(filepath.Join(dir, "none", "x.csv"), nil), "--output: ")
	require.NoError(t, written(os.DevNull, func(io.Writer) error { return nil }))
	require.ErrorContains(t, (&Command{Rows: Rows{Input: "x"}, Output: "x.xls"}).Validate(), `--output: "x.xls": want a name that ends in .csv`)
}
