package ingest

import (
	"archive/zip"
	"bytes"
	"context"
	"database/sql"
	"fmt"
	"path/filepath"
	"strings"
	"testing"

	"github.com/apache/arrow-go/v18/arrow"
	builder "github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/ipc"
	"github.com/apache/arrow-go/v18/arrow/memory"
	pq "github.com/parquet-go/parquet-go"
	"github.com/stretchr/testify/require"
	_ "modernc.org/sqlite" // makes a database

	"tributary/shared/dataset"
	"tributary/shared/job"
)

// readRows returns the features that a model makes of the rows of a source, the texts of
// their extra columns, and their places.
func readRows(t *testing.T, o *outcome, d *job.Data, from Opener, r Reading) (x [][]float32, extra, places []string, err error) {
	t.Helper()
	in := &Ingest{Sources: from, Scratch: t.TempDir(), Memory: 64}
	err = in.Rows(t.Context(), o.Preprocessing, d, r, func(at dataset.Place, values []dataset.Value, cells []dataset.Cell) error {
		dst := make([]float32, o.Preprocessing.Features())
		if err := o.Preprocessing.Apply(dst, values, nil); err != nil {
			return fmt.Errorf("%s: %w", at, err)
		}
		x, places = append(x, dst), append(places, at.String())
		for _, c := range cells {
			extra = append(extra, fmt.Sprintf("%s %v", c.Text, c.JSON))
		}
		return nil
	})
	return x, extra, places, err
}

// sold is a row of the table below, with types.
type sold struct {
	ID    int64    `parquet:"id"`
	Area  *float64 `parquet:"area,optional"`
	Kind  string   `parquet:"kind"`
	Lift  bool     `parquet:"lift"`
	Other []string `parquet:"other"`
}

// A model that was trained on a CSV file with decimal commas reads the same rows in every
// format as the same features.
func TestRowsOfEveryFormat(t *testing.T) {
	spec := csvSpec()
	spec.Data.Label, spec.Data.Clean.Missing.Method = job.Columns{"price"}, "mean"
	spec.Data.CSV = &job.CSVOptions{Decimal: ",", Thousands: "."}
	o := mustRun(t, spec, sources{"in": []byte("area;kind;lift;price\n50,5;house;True;1\n1.080,25;flat;False;2\n;house;True;3\n")})
	want := o.x[job.Train]
	require.Len(t, want, 3)

	rows := []sold{{7, new(50.5), "house", true, nil}, {8, new(1080.25), "flat", false, []string{"x"}}, {9, nil, "house", true, nil}}
	var inParquet, inArrow, stream bytes.Buffer
	require.NoError(t, pq.Write(&inParquet, rows))
	schema := arrow.NewSchema([]arrow.Field{
		{Name: "lift", Type: arrow.FixedWidthTypes.Boolean},
		{Name: "other", Type: arrow.ListOf(arrow.BinaryTypes.String), Nullable: true},
		{Name: "kind", Type: &arrow.DictionaryType{IndexType: arrow.PrimitiveTypes.Int8, ValueType: arrow.BinaryTypes.String}},
		{Name: "area", Type: arrow.PrimitiveTypes.Float64, Nullable: true},
		{Name: "id", Type: arrow.PrimitiveTypes.Int64},
	}, nil)
	batch, _, err := builder.RecordFromJSON(memory.DefaultAllocator, schema, strings.NewReader(`[{"area":50.5,"kind":"house","lift":true,"id":7},
		{"area":1080.25,"kind":"flat","lift":false,"id":8,"other":["x"]}, {"area":null,"kind":"house","lift":true,"id":9}]`))
	require.NoError(t, err)
	defer batch.Release()
	w, err := ipc.NewFileWriter(&inArrow, ipc.WithSchema(schema))
	require.NoError(t, err)
	require.NoError(t, w.Write(batch))
	require.NoError(t, w.Close())
	s := ipc.NewWriter(&stream, ipc.WithSchema(schema))
	require.NoError(t, s.Write(batch))
	require.NoError(t, s.Close())
	from := sources{
		"a": inParquet.Bytes(), "b": pack(t, inParquet.Bytes()), "c": inArrow.Bytes(), "d": pack(t, stream.Bytes()),
		"e": []byte(`{"area":50.5,"kind":"house","lift":true,"id":7}{"area":1080.25,"kind":"flat","lift":false,"id":8}{"area":null,"kind":"house","lift":true,"id":9}`),
	}
	for name, format := range map[string]dataset.InputFormat{"a": "", "b": "parquet", "c": "auto", "d": "", "e": "jsonl"} {
		x, extra, places, err := readRows(t, o, &spec.Data, from, Reading{Source: name, Format: format, Extra: []string{"id", "area"}})
		require.NoError(t, err, name)
		require.Equal(t, want, x, name)
		require.Equal(t, []string{"7 true", "50.5 true", "8 true", "1080.25 true", "9 true", "null true"}, extra, name)
		require.Equal(t, []string{"row 1", "row 2", "row 3"}, places, name)
	}
	for name, of := range map[string]struct {
		r    Reading
		want string
	}{
		"unknown": {Reading{Source: "a", Extra: []string{"Id"}}, `header: no column "Id" among the 5 of the file`},
		"nested":  {Reading{Source: "c", Extra: []string{"other"}}, `column "other": its cells are lists`},
		"damaged": {Reading{Source: "a", Format: "arrow"}, "Arrow"},
		"query":   {Reading{Source: "a", Query: "SELECT 1"}, "a query is for a database alone"},
		"no base": {Reading{Source: "a", Format: "sql"}, "want a database, as postgres://"},
		"numpy":   {Reading{Source: "a", Format: "numpy"}, "want a NumPy array"},
		"columns": {Reading{Source: "a", Format: "numpy", Extra: []string{"id"}}, `a NumPy array has no column names: want a file with a column "id", or labels in a file of their own`},
	} {
		_, _, _, err := readRows(t, o, &spec.Data, from, of.r)
		require.ErrorIs(t, err, job.ErrInvalid, name)
		require.ErrorContains(t, err, of.want, name)
	}
}

// A database, and a folder with files of one format, whose names are in the places and in
// the errors.
func TestRowsOfPlaces(t *testing.T) {
	spec := csvSpec()
	o := mustRun(t, spec, sources{"in": []byte("a,y\n1,1\n2,2\n")})
	dir := t.TempDir()
	base := filepath.Join(dir, "rows.sqlite")
	db, err := sql.Open("sqlite", base)
	require.NoError(t, err)
	_, err = db.ExecContext(t.Context(), "CREATE TABLE t (a REAL, name TEXT); INSERT INTO t VALUES (1.5, '007'), (2.5, NULL)")
	require.NoError(t, err)
	require.NoError(t, db.Close())
	x, extra, _, err := readRows(t, o, &spec.Data, local, Reading{Source: "sqlite:" + base, Query: "SELECT * FROM t ORDER BY a", Extra: []string{"name"}})
	require.NoError(t, err)
	require.Equal(t, [][]float32{{1.5}, {2.5}}, x)
	require.Equal(t, []string{"007 false", " false"}, extra)

	list := &twoFiles{sources{"f/1.csv": []byte("a\n1\n"), "f/2.csv": []byte("y,a\n0,2\n0,no\n")}}
	x, _, places, err := readRows(t, o, &spec.Data, list, Reading{Source: "f/*.csv"})
	require.ErrorContains(t, err, `line 3 of "2.csv": column "a": text "no" in a numeric column`)
	require.Equal(t, [][]float32{{1}, {2}}, x)
	require.Equal(t, []string{`line 2 of "1.csv"`, `line 2 of "2.csv"`}, places)
	list.sources["f/2.csv"] = []byte("b\n1\n")
	_, _, _, err = readRows(t, o, &spec.Data, list, Reading{Source: "f/*.csv"})
	require.ErrorContains(t, err, `2.csv: header: no column "a"`)

	var packed bytes.Buffer
	z := zip.NewWriter(&packed)
	f, err := z.Create("rows.csv")
	require.NoError(t, err)
	_, err = f.Write([]byte("a\n4\n"))
	require.NoError(t, err)
	require.NoError(t, z.Close())
	x, _, _, err = readRows(t, o, &spec.Data, sources{"https://h/rows.zip": packed.Bytes()}, Reading{Source: "https://h/rows.zip"})
	require.NoError(t, err)
	require.Equal(t, [][]float32{{4}}, x)
}

// twoFiles lists all its sources for a source with wildcards.
type twoFiles struct{ sources }

func (*twoFiles) List(_ context.Context, source string) ([]string, error) {
	if !wildcards(source) {
		return []string{source}, nil
	}
	return []string{"f/1.csv", "f/2.csv"}, nil
}

// A model that was trained on LIBSVM or on arrays reads such files, also shorter ones, and
// those of the other index base.
func TestRowsWithoutNames(t *testing.T) {
	spec := csvSpec()
	spec.Data.Format, spec.Data.Label, spec.Data.Drop = job.LIBSVM, job.Columns{"label"}, []string{"x4"}
	o := mustRun(t, spec, sources{"in": []byte("1 1:0.5 4:9\n2 3:2\n")})
	rows := sources{"in.svm": []byte("0 2:7 4:1 # c\n\n0\n"), "bad.svm": []byte("0 1:1\n0 5:1\n"), "zero.svm": []byte("0 0:1\n")}
	x, extra, places, err := readRows(t, o, &spec.Data, rows, Reading{Source: "in.svm", Extra: []string{"label"}})
	require.NoError(t, err)
	require.Equal(t, [][]float32{{0, 7, 0}, {0, 0, 0}}, x)
	require.Equal(t, []string{"0 true", "0 true"}, extra)
	require.Equal(t, []string{"line 1", "line 3"}, places)
	_, _, _, err = readRows(t, o, &spec.Data, rows, Reading{Source: "bad.svm"})
	require.ErrorContains(t, err, "line 2: index 5: the training source has the features 1 to 4")
	_, _, _, err = readRows(t, o, &spec.Data, rows, Reading{Source: "zero.svm"})
	require.ErrorContains(t, err, "line 1: index 0: the training source has the features 1 to 4")

	spec = npySpec()
	o = mustRun(t, spec, sources{"x": npyOf("<f4", false, "2, 2", []float32{1, 2, 3, 4}), "y": npyOf("<f4", false, "2,", []float32{1, 2})})
	array, other := npyOf("<i8", true, "2, 2", []int64{5, 6, 7, 8}), npyOf("|u1", false, "1, 2", []uint8{1, 2})
	rows = sources{"a.npy": array, "b": array, "c.npz": npzOf(t, map[string][]byte{"x": array, "rest": other}), "d.npy": npyOf("<f4", false, "1, 3", []float32{1, 2, 3})}
	for _, name := range []string{"a.npy", "b", "c.npz"} {
		x, _, _, err := readRows(t, o, &spec.Data, rows, Reading{Source: name})
		require.NoError(t, err)
		require.Equal(t, [][]float32{{5, 7}, {6, 8}}, x)
	}
	x, _, _, err = readRows(t, o, &spec.Data, rows, Reading{Source: "c.npz", Array: "rest"})
	require.NoError(t, err)
	require.Equal(t, [][]float32{{1, 2}}, x)
	_, _, _, err = readRows(t, o, &spec.Data, rows, Reading{Source: "d.npy"})
	require.ErrorContains(t, err, "3 values in a row: the model takes 2")
}

// Labels come from IDX and NumPy files, as many as there are rows.
func TestLabelsInAFile(t *testing.T) {
	array := npyOf("<i4", false, "2,", []int32{3, 4})
	for name, content := range map[string][]byte{
		"a.npy": array, "b": pack(t, array), "c": idxBytes([]byte{3, 4}, 2), "d.npz": npzOf(t, map[string][]byte{"y": array, "x": array}),
	} {
		in := &Ingest{Sources: sources{name: content}, Scratch: t.TempDir(), Memory: 1}
		l, err := in.Labels(t.Context(), &job.Data{}, Reading{Source: name}, 1)
		require.NoError(t, err, name)
		for _, want := range []float64{3, 4} {
			require.ErrorContains(t, l.End(), "labels for", name)
			y, err := l.Next()
			require.NoError(t, err)
			require.Equal(t, []float64{want}, y)
		}
		require.NoError(t, l.End())
		_, err = l.Next()
		require.ErrorContains(t, err, "2 labels, and more rows", name)
		l.Close()
		_, err = in.Labels(t.Context(), &job.Data{}, Reading{Source: name}, 2)
		require.ErrorContains(t, err, "1 labels in a row: the model has 2", name)
	}
}
