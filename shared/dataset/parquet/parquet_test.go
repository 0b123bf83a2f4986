package parquet

import (
	"bytes"
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	pq "github.com/parquet-go/parquet-go"
	"github.com/parquet-go/parquet-go/compress"
	"github.com/stretchr/testify/require"

	"tributary/shared/dataset/tabular"
	"tributary/shared/job"
)

// readAll reads a file: its rows and the number that its footer announces.
func readAll(data []byte) (f *File, rows [][]string, err error) {
	f, err = Open(bytes.NewReader(data), int64(len(data)))
	if err != nil {
		return nil, nil, err
	}
	defer f.Close()
	for {
		row, err := f.Next()
		if errors.Is(err, io.EOF) {
			return f, rows, nil
		}
		if err != nil {
			return f, rows, err
		}
		rows = append(rows, append([]string{}, row...))
	}
}

// fixtures returns the files of testdata by name.
func fixtures(t testing.TB) map[string][]byte {
	t.Helper()
	names, err := filepath.Glob("testdata/*.parquet*")
	require.NoError(t, err)
	out := map[string][]byte{}
	for _, name := range names {
		data, err := os.ReadFile(name)
		require.NoError(t, err)
		if strings.HasSuffix(name, ".gz") {
			z, err := gzip.NewReader(bytes.NewReader(data))
			require.NoError(t, err)
			data, err = io.ReadAll(z)
			require.NoError(t, err)
		}
		out[strings.TrimSuffix(strings.TrimSuffix(filepath.Base(name), ".gz"), ".parquet")] = data
	}
	require.Len(t, out, 14)
	return out
}

func TestFilesOfOthers(t *testing.T) {
	files := fixtures(t)
	for name, want := range map[string][]string{ // the first row
		"ARROW-GH-43605":        {"0"},
		"alltypes_plain":        {"4", "true", "0", "0", "0", "0", "0", "0", "03/01/09", "0", "2009-03-01 00:00:00"},
		"alltypes_plain.snappy": {"6", "true", "0", "0", "0", "0", "0", "0", "04/01/09", "0", "2009-04-01 00:00:00"},
		"byte_array_decimal":    {"1.00"},
		"delta_encoding_required_column": {
			"105", "949850", "383", "46916", "2452463", "2452433", "14", "1", "1945", "AAAAAAAAJGAAAAAA", "Dr.", "Frank",
			"Strain", "Y", "VIRGIN ISLANDS, U.S.", "Frank.Strain@MbOHByB.edu", "2452378",
		},
		"byte_stream_split.zstd":    {"1.764052391052246", "-1.3065268517353166"},
		"datapage_v2.snappy":        {"abc", "1", "2", "true", ""},
		"float16_nonzeros_and_nans": {""},
		"int32_decimal":             {"1.00"},
		"nested_lists.snappy":       {"", "1"},
	} {
		f, rows, err := readAll(files[name])
		require.NoError(t, err, name)
		require.Equal(t, want, rows[0], name)
		require.Len(t, rows, int(f.Rows), name)
	}
	f, rows, err := readAll(files["float16_nonzeros_and_nans"])
	require.NoError(t, err)
	require.Equal(t, [][]string{{""}, {"1"}, {"-2"}, {""}, {"0"}, {"-1"}, {"-0"}, {"2"}}, rows)
	require.Equal(t, []tabular.Kind{tabular.Any}, f.Kinds)
	f, _, err = readAll(files["nested_lists.snappy"])
	require.NoError(t, err)
	require.Equal(t, []tabular.Kind{tabular.Nested, tabular.Any}, f.Kinds)

	for _, name := range []string{"ARROW-RS-GH-6229-LEVELS", "PARQUET-1481", "nulls.snappy"} {
		_, _, err := readAll(files[name])
		require.ErrorIs(t, err, job.ErrInvalid, name)
		require.ErrorContains(t, err, "no column of single values is left", name)
	}
	for name, want := range map[string]string{
		"ARROW-GH-41317": `column "timestamp_us_no_tz": a page of type 1`,
	} {
		_, _, err := readAll(files[name])
		require.ErrorIs(t, err, job.ErrInvalid, name)
		require.ErrorContains(t, err, want)
		f, err := Open(bytes.NewReader(files[name]), int64(len(files[name])))
		require.NoError(t, err)
		for i, column := range f.Names { // only the columns before it
			if strings.Contains(want, column) || i > 8 {
				f.Leave(i)
			}
		}
		_, err = f.Next()
		require.NoError(t, err, "the other columns can be read")
		f.Close()
	}
}

// Damaged bytes give all rows or an error, without a panic and in bounded memory.
func TestDamagedFiles(t *testing.T) {
	const memory = 64 << 20
	random := rand.New(rand.NewPCG(1, 2))
	for name, whole := range fixtures(t) {
		for n := 0; n < len(whole); n += 1 + len(whole)/40 {
			_, _, err := readAll(whole[:n])
			require.ErrorIs(t, err, job.ErrInvalid, "%s of %d bytes", name, n)
		}
		for range 400 {
			data := bytes.Clone(whole)
			for range 1 + random.IntN(4) {
				at := random.IntN(len(data))
				if random.IntN(2) == 0 {
					at = max(0, len(data)-1-random.IntN(600)) // the footer
				}
				data[at] = byte(random.Uint32())
			}
			var before, after runtime.MemStats
			runtime.ReadMemStats(&before)
			f, rows, err := readAll(data)
			runtime.ReadMemStats(&after)
			require.Less(t, after.TotalAlloc-before.TotalAlloc, uint64(memory), name)
			if err != nil {
				require.ErrorIs(t, err, job.ErrInvalid, name)
				continue
			}
			require.Len(t, rows, int(f.Rows), name)
		}
	}
}

// sample has a field of each type that people write.
type sample struct {
	Whole  int64    `parquet:"whole"`
	Small  uint8    `parquet:"small"`
	Real   float64  `parquet:"real"`
	Maybe  *float32 `parquet:"maybe,optional"`
	Name   string   `parquet:"name,dict"`
	Plain  string   `parquet:"plain"`
	Switch bool     `parquet:"switch"`
	Delta  string   `parquet:"delta,delta"`
	Length int64    `parquet:"length,delta"`
	Day    int32    `parquet:"day,date"`
	At     int64    `parquet:"at,timestamp(millisecond)"`
	Price  int64    `parquet:"price,decimal(2:18)"`
	List   []int32  `parquet:"list"`
}

// Every codec that is read, and both versions of pages, give the rows that were written.
func TestWrittenFilesAreReadBack(t *testing.T) {
	const rows = 3000
	half := float32(0.5)
	var in []sample
	for i := range rows {
		s := sample{Whole: int64(i) - 7, Small: 200, Real: float64(i) / 8, Name: []string{"red", "blue"}[i%2], Plain: strings.Repeat("x", i%5), Switch: i%3 == 0, Delta: fmt.Sprintf("name-%d", i/3), Length: int64(i) * -1000003, Day: 19753, At: 1706659200500, Price: -5, List: []int32{1, 2}}
		if i%2 == 0 {
			s.Maybe = &half
		}
		in = append(in, s)
	}
	for name, options := range map[string][]pq.WriterOption{
		"plain": {pq.Compression(&pq.Uncompressed)}, "snappy": {pq.Compression(&pq.Snappy), pq.DataPageVersion(1)}, "gzip": {pq.Compression(&pq.Gzip)},
		"zstd": {pq.Compression(&pq.Zstd), pq.DataPageVersion(2)}, "small pages": {pq.PageBufferSize(100), pq.MaxRowsPerRowGroup(700), pq.DataPageVersion(1)},
	} {
		f, got, err := readAll(written(t, in, options...))
		require.NoError(t, err, name)
		require.Len(t, got, rows, name)
		require.Equal(t, []string{"whole", "small", "real", "maybe", "name", "plain", "switch", "delta", "length", "day", "at", "price", "list"}, f.Names)
		require.Equal(t, []string{"-7", "200", "0", "0.5", "red", "", "true", "name-0", "0", "2024-01-31", "2024-01-31 00:00:00.5", "-0.05", ""}, got[0], name)
		require.Equal(t, []string{"2992", "200", "374.875", "", "blue", "xxxx", "false", "name-999", "-2999008997", "2024-01-31", "2024-01-31 00:00:00.5", "-0.05", ""}, got[2999], name)
	}
	_, _, err := readAll(written(t, in, pq.Compression(compress.Codec(&pq.Brotli))))
	require.ErrorContains(t, err, "compressed with BROTLI: want snappy, gzip, zstd or none")
}

func written(t *testing.T, rows []sample, options ...pq.WriterOption) []byte {
	t.Helper()
	var b bytes.Buffer
	w := pq.NewGenericWriter[sample](&b, options...)
	_, err := w.Write(rows)
	require.NoError(t, err)
	require.NoError(t, w.Close())
	return b.Bytes()
}

func TestThriftIsBounded(t *testing.T) {
	for name, data := range map[string][]byte{
		"nested deeply":        bytes.Repeat([]byte{0x1c}, 1<<20),
		"lists nested deeply":  append([]byte{0x19}, bytes.Repeat([]byte{0x19}, 1<<20)...),
		"a list too long":      {0x19, 0xfc, 0xff, 0xff, 0xff, 0xff, 0x07},
		"many elements":        append([]byte{0x19, 0xf3, 0x80, 0x80, 0x80, 0x01}, make([]byte, 1<<22)...),
		"a text too long":      {0x18, 0xff, 0x01, 0x00},
		"a map too long":       {0x1b, 0xff, 0x01, 0x55},
		"a number of 11 bytes": append([]byte{0x16}, bytes.Repeat([]byte{0xff}, 11)...),
		"an unknown type":      {0x1f},
		"no end":               {},
	} {
		require.Error(t, (&compact{data: data}).structure(1, 0), name)
	}
}

func FuzzOpen(f *testing.F) {
	for _, data := range fixtures(f) {
		f.Add(data)
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		file, rows, err := readAll(data)
		if err != nil {
			require.ErrorIs(t, err, job.ErrInvalid)
			return
		}
		require.Len(t, rows, int(file.Rows))
	})
}
