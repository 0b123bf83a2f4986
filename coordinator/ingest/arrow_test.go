package ingest

import (
	"bytes"
	"strings"
	"testing"

	"github.com/apache/arrow-go/v18/arrow"
	builder "github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/ipc"
	"github.com/apache/arrow-go/v18/arrow/memory"
	"github.com/stretchr/testify/require"

	"tributary/shared/job"
)

// An Arrow file gives the table that its types say; a packed stream gives the same.
func TestArrowIsATable(t *testing.T) {
	schema := arrow.NewSchema([]arrow.Field{
		{Name: "area", Type: arrow.PrimitiveTypes.Float64},
		{Name: "zip", Type: arrow.BinaryTypes.String},
		{Name: "tags", Type: arrow.ListOf(arrow.BinaryTypes.String), Nullable: true},
		{Name: "price", Type: arrow.PrimitiveTypes.Int32},
	}, nil)
	batch, _, err := builder.RecordFromJSON(memory.DefaultAllocator, schema, strings.NewReader(`[{"area":50.5,"zip":"10115","price":100},{"area":80,"zip":"80331","tags":["x"],"price":200}]`))
	require.NoError(t, err)
	defer batch.Release()
	var file, stream bytes.Buffer
	w, err := ipc.NewFileWriter(&file, ipc.WithSchema(schema))
	require.NoError(t, err)
	s := ipc.NewWriter(&stream, ipc.WithSchema(schema))
	require.NoError(t, w.Write(batch))
	require.NoError(t, w.Close())
	require.NoError(t, s.Write(batch))
	require.NoError(t, s.Close())
	spec := csvSpec()
	spec.Data.Format, spec.Data.Label = job.Arrow, job.Columns{"price"}
	_, err = run(t, spec, sources{"in": file.Bytes()})
	require.ErrorIs(t, err, job.ErrInvalid)
	require.ErrorContains(t, err, `column "tags": its cells are lists, objects or of a type that is not supported`)
	spec.Data.Drop = []string{"tags"}
	for _, content := range [][]byte{file.Bytes(), pack(t, stream.Bytes())} {
		o := mustRun(t, spec, sources{"in": content})
		require.Equal(t, [][]float32{{50.5, 1, 0}, {80, 0, 1}}, o.x[job.Train])
		require.Equal(t, [][]float32{{100}, {200}}, o.y[job.Train])
	}
}
