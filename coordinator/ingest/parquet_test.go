package ingest

import (
	"bytes"
	"os"
	"testing"

	pq "github.com/parquet-go/parquet-go"
	"github.com/stretchr/testify/require"

	"tributary/shared/dataset"
	"tributary/shared/job"
)

type house struct {
	Area  float64  `parquet:"area"`
	Rooms *int32   `parquet:"rooms,optional"`
	Zip   string   `parquet:"zip"`
	Sold  int32    `parquet:"sold,date"`
	Tags  []string `parquet:"tags"`
	Price int64    `parquet:"price,decimal(2:18)"`
}

func parquetOf(t *testing.T, rows ...house) []byte {
	t.Helper()
	var b bytes.Buffer
	require.NoError(t, pq.Write(&b, rows))
	return b.Bytes()
}

// A Parquet file gives the table that its types say, and the model predicts on CSV and
// JSON with the same cells.
func TestParquetIsATable(t *testing.T) {
	three := int32(3)
	file := parquetOf(t, house{50.5, &three, "10115", 19753, nil, 10050}, house{80, nil, "80331", 19754, []string{"x"}, 20000})
	spec := csvSpec()
	spec.Data.Format, spec.Data.Label, spec.Data.Drop = job.Parquet, "price", []string{"tags"}
	spec.Data.Clean.Missing.Method = "mean"
	spec.Data.Columns = map[string]job.ColumnSpec{"sold": {Type: job.DateColumn, Parts: []job.DatePart{job.Day}}}
	for _, memory := range []int64{0, 64} { // a copy in memory, and one in a file
		in := &Ingest{Sources: sources{"in": file}, Store: discard{}, Memory: memory, Scratch: t.TempDir()}
		_, err := in.Run(t.Context(), spec)
		require.NoError(t, err)
		left, err := os.ReadDir(in.Scratch)
		require.NoError(t, err)
		require.Empty(t, left)
	}
	o := mustRun(t, spec, sources{"in": file})
	want := [][]float32{{50.5, 3, 1, 0, 31}, {80, 3, 0, 1, 1}}
	require.Equal(t, want, o.x[job.Train])
	require.Equal(t, [][]float32{{100.5}, {200}}, o.y[job.Train])
	require.Equal(t, dataset.Categorical, o.Preprocessing.Columns[2].Kind, "texts of digits stay texts")
	fromCSV, fromJSON := predicted(t, o, "zip,area,rooms,sold\n10115,50.5,3,2024-01-31\n80331,80,,2024-02-01\n",
		`{"area":50.5,"rooms":3,"zip":10115,"sold":"2024-01-31"}`, `[80,null,"80331","2024-02-01"]`)
	require.Equal(t, want, fromCSV)
	require.Equal(t, want, fromJSON)
}

func TestParquetThatIsRefused(t *testing.T) {
	file := parquetOf(t, house{Zip: "a", Price: 1}, house{Zip: "b", Price: 2})
	spec := csvSpec()
	spec.Data.Format, spec.Data.Label, spec.Data.Drop = job.Parquet, "price", []string{"rooms"}
	_, err := run(t, spec, sources{"in": file})
	require.ErrorIs(t, err, job.ErrInvalid)
	require.ErrorContains(t, err, `column "tags": its cells are lists, objects or of a type that is not supported: want single values: leave it out with data.drop`)
	for content, want := range map[string]string{
		"":                        "0 bytes: want a Parquet file",
		"a,b\n1,2\n1,2\n1,2\n3":   "want a Parquet file, which ends with PAR1",
		string(file[:100]):        "want a Parquet file, which ends with PAR1",
		"PAR1" + string(file[9:]): "damaged",
	} {
		_, err := run(t, spec, sources{"in": []byte(content)})
		require.ErrorIs(t, err, job.ErrInvalid, want)
		require.ErrorContains(t, err, want)
	}
}
