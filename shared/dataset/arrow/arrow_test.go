package arrow_test

import (
	"bytes"
	"errors"
	"io"
	"math/rand/v2"
	"strings"
	"testing"

	arrowgo "github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/ipc"
	"github.com/apache/arrow-go/v18/arrow/memory"
	"github.com/stretchr/testify/require"

	"tributary/shared/dataset/arrow"
	"tributary/shared/dataset/tabular"
	"tributary/shared/job"
)

// schema has a column of each kind.
var schema = arrowgo.NewSchema([]arrowgo.Field{
	{Name: "id", Type: arrowgo.PrimitiveTypes.Uint64},
	{Name: "x", Type: arrowgo.PrimitiveTypes.Float64, Nullable: true},
	{Name: "zip", Type: arrowgo.BinaryTypes.String, Nullable: true},
	{Name: "flag", Type: arrowgo.FixedWidthTypes.Boolean},
	{Name: "day", Type: arrowgo.FixedWidthTypes.Date32},
	{Name: "at", Type: arrowgo.FixedWidthTypes.Timestamp_ms},
	{Name: "price", Type: &arrowgo.Decimal128Type{Precision: 18, Scale: 2}},
	{Name: "kind", Type: &arrowgo.DictionaryType{IndexType: arrowgo.PrimitiveTypes.Int8, ValueType: arrowgo.BinaryTypes.String}},
	{Name: "list", Type: arrowgo.ListOf(arrowgo.PrimitiveTypes.Int32), Nullable: true},
	{Name: "raw", Type: arrowgo.BinaryTypes.Binary},
}, nil)

const rows = `[{"id":18446744073709551615,"x":0.5,"zip":"007","flag":true,"day":"2024-01-31","at":"2024-01-31T12:30:00Z","price":"100.50","kind":"a","list":[1],"raw":"eA=="},
	{"id":2,"x":null,"zip":null,"flag":false,"day":"1969-12-31","at":"1969-12-31T23:59:59.5Z","price":"-0.05","kind":"b","list":null,"raw":""}]`

var texts = []string{
	"18446744073709551615|0.5|007|true|2024-01-31|2024-01-31 12:30:00|100.50|a||",
	"2|||false|1969-12-31|1969-12-31 23:59:59.5|-0.05|b||",
}

// written writes batches as a file, or as a stream.
func written(t testing.TB, file bool, batches int, options ...ipc.Option) []byte {
	t.Helper()
	batch, _, err := array.RecordFromJSON(memory.DefaultAllocator, schema, strings.NewReader(rows))
	require.NoError(t, err)
	defer batch.Release()
	var b bytes.Buffer
	options = append(options, ipc.WithSchema(schema))
	var w interface {
		Write(arrowgo.RecordBatch) error
		Close() error
	}
	if file {
		w, err = ipc.NewFileWriter(&b, options...)
		require.NoError(t, err)
	} else {
		w = ipc.NewWriter(&b, options...)
	}
	for range batches {
		require.NoError(t, w.Write(batch))
	}
	require.NoError(t, w.Close())
	return b.Bytes()
}

// read reads all rows.
func read(data []byte) (f *arrow.File, lines []string, err error) {
	f, err = arrow.Open(bytes.NewReader(data), int64(len(data)))
	if err != nil {
		return nil, nil, err
	}
	defer f.Close()
	for {
		row, err := f.Next()
		if errors.Is(err, io.EOF) {
			return f, lines, nil
		}
		if err != nil {
			return f, lines, err
		}
		lines = append(lines, strings.Join(row, "|"))
	}
}

func TestTypes(t *testing.T) {
	for about, data := range map[string][]byte{
		"file": written(t, true, 2), "stream": written(t, false, 2), "lz4": written(t, true, 2, ipc.WithLZ4()), "zstd": written(t, false, 2, ipc.WithZstd()),
	} {
		f, lines, err := read(data)
		require.NoError(t, err, about)
		require.Equal(t, append(append([]string(nil), texts...), texts...), lines, about)
		const number, text, nested = tabular.Any, tabular.Text, tabular.Nested
		require.Equal(t, []tabular.Kind{number, number, text, number, number, number, number, text, nested, nested}, f.Kinds, about)
	}
	_, lines, err := read(written(t, false, 0))
	require.NoError(t, err)
	require.Empty(t, lines)
}

// A file that ends early, at any byte, is refused, and so is more after the end.
func TestNeverShort(t *testing.T) {
	for about, data := range map[string][]byte{"file": written(t, true, 2), "stream": written(t, false, 2)} {
		for n := range data {
			_, _, err := read(data[:n])
			require.ErrorIs(t, err, job.ErrInvalid, "%s of %d bytes", about, n)
		}
	}
	stream := written(t, false, 1)
	_, _, err := read(append(bytes.Clone(stream), stream...))
	require.ErrorContains(t, err, "after the end of the stream")
	_, _, err = read(stream[:len(stream)-8])
	require.ErrorContains(t, err, "no mark of its end")
	for content, want := range map[string]string{"": "want an Arrow IPC file or stream", "a,b\n1,2\n3,4\n": "want an Arrow IPC file or stream", "ARROW1\x00\x00 and no more": "damaged Arrow file"} {
		_, _, err := read([]byte(content))
		require.ErrorIs(t, err, job.ErrInvalid, content)
		require.ErrorContains(t, err, want, content)
	}
}

// Whatever bytes are wrong, reading ends with an error or with rows, and never crashes.
func TestDamagedFiles(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	for _, data := range [][]byte{written(t, true, 2), written(t, false, 2), written(t, true, 1, ipc.WithLZ4()), written(t, false, 1, ipc.WithZstd())} {
		for range 1500 {
			damaged := bytes.Clone(data)
			for range 1 + random.IntN(4) {
				damaged[random.IntN(len(damaged))] = byte(random.Uint32())
			}
			if _, _, err := read(damaged); err != nil {
				require.ErrorIs(t, err, job.ErrInvalid)
			}
		}
	}
}

func FuzzArrow(f *testing.F) {
	for _, file := range []bool{true, false} {
		f.Add(written(f, file, 1))
		f.Add(written(f, file, 1, ipc.WithZstd()))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		file, err := arrow.Open(bytes.NewReader(data), int64(len(data)))
		if err != nil {
			require.ErrorIs(t, err, job.ErrInvalid)
			return
		}
		defer file.Close()
		for range 10_000 { // a batch without columns that are read may have any number of rows
			if _, err := file.Next(); err != nil {
				return
			}
		}
	})
}
