package dataset_test

import (
	"bytes"
	"compress/gzip"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"tributary/shared/dataset"
	"tributary/shared/job"
)

// numbered returns a preprocessing with the given number of numeric columns, a, b, …, which
// fills missing values with −1.
func numbered(columns int) *dataset.Preprocessing {
	p := &dataset.Preprocessing{Label: dataset.Column{Name: "y", Kind: dataset.Numeric, Scale: 1}}
	for i := range columns {
		p.Columns = append(p.Columns, dataset.Column{Name: string(rune('a' + i)), Kind: dataset.Numeric, Scale: 1, Fill: new(-1.0)})
	}
	return p
}

// readRows returns the rows of a file and their places.
func readRows(t *testing.T, p *dataset.Preprocessing, content string, format dataset.InputFormat) (rows [][]float32, places []string, err error) {
	err = p.ReadRows(t.Context(), strings.NewReader(content), format, func(at dataset.Place, values []dataset.Value) error {
		dst := make([]float32, p.Features())
		require.NoError(t, p.Apply(dst, values, nil))
		rows, places = append(rows, dst), append(places, at.String())
		return nil
	})
	return rows, places, err
}

// idx returns an IDX file of bytes or of floats.
func idx(values any, dims ...uint32) string {
	var b bytes.Buffer
	kind := byte(0x08)
	if _, ok := values.([]float32); ok {
		kind = 0x0D
	}
	b.Write([]byte{0, 0, kind, byte(len(dims))})
	_ = binary.Write(&b, binary.BigEndian, dims)
	_ = binary.Write(&b, binary.BigEndian, values)
	return b.String()
}

func packed(content string) string {
	var b bytes.Buffer
	z := gzip.NewWriter(&b)
	_, _ = io.WriteString(z, content)
	_ = z.Close()
	return b.String()
}

// A file of any format, with or without gzip, gives the same rows. Every row of the file
// gives one row.
func TestReadRows(t *testing.T) {
	two := [][]float32{{1, 2}, {3, 4}}
	lines, numbers := []string{"line 2", "line 3"}, []string{"row 1", "row 2"}
	for name, c := range map[string]struct {
		columns int
		content string
		rows    [][]float32
		places  []string
	}{
		"CSV":                         {2, "a,b\n1,2\n3,4\n", two, lines},
		"CSV, other order":            {2, "\ufeffb,y,a\r\n2,x,1\r\n4,x,3\r\n\r\n\r\n", two, lines},
		"CSV, a quoted line break":    {2, "a,n,b\n1,\"x\n\ny\",2\n3,z,4", two, []string{"line 2", "line 5"}},
		"CSV, blank, one column":      {1, "a\n1\n\n\r\n2\n\n", [][]float32{{1}, {-1}, {-1}, {2}}, []string{"line 2", "line 3", "line 4", "line 5"}},
		"CSV, blank first":            {1, "a\n\n2\n", [][]float32{{-1}, {2}}, lines},
		"IDX of bytes":                {2, idx([]byte{1, 2, 3, 4}, 2, 2), two, numbers},
		"IDX of floats":               {2, idx([]float32{1, 2, 3, 4}, 2, 1, 2), two, numbers},
		"JSON lines":                  {2, "[1,2]\n[3,4]\n", two, numbers},
		"JSON lines of objects":       {2, "{\"a\":1,\"b\":2}\n\n {\"b\":4,\"y\":0,\"a\":3}", two, numbers},
		"an array":                    {2, " [[1,2],\n{\"a\":3,\"b\":4}]", two, numbers},
		"a request":                   {2, `{"rows":[[1,2],[3,4]]}`, two, numbers},
		"a byte order mark":           {2, "\ufeff[[1,2],[3,4]]", two, numbers},
		"mixed":                       {2, `[[1,2]] {"rows":[[3,4]]}`, two, numbers},
		"null is missing":             {2, `[1,null] {"b":4}`, [][]float32{{1, -1}, {-1, 4}}, numbers},
		"an empty object":             {2, `{} [3,4]`, [][]float32{{-1, -1}, {3, 4}}, numbers},
		"one column, a row each":      {1, `[1,[2],{"a":3}] [4] [[5]]`, [][]float32{{1}, {2}, {3}, {4}, {5}}, []string{"row 1", "row 2", "row 3", "row 4", "row 5"}},
		"no rows":                     {2, "a,b\n", nil, nil},
		"no rows in an array of them": {2, `{"rows":[]}`, nil, nil},
	} {
		t.Run(name, func(t *testing.T) {
			for _, content := range []string{c.content, packed(c.content)} {
				rows, places, err := readRows(t, numbered(c.columns), content, dataset.AnyInput)
				require.NoError(t, err)
				require.Equal(t, c.rows, rows)
				require.Equal(t, c.places, places)
			}
		})
	}
	rows, _, err := readRows(t, numbered(1), "1\n2 3", dataset.JSONInput)
	require.NoError(t, err)
	require.Equal(t, [][]float32{{1}, {2}, {3}}, rows, "bare values, when the format is given")

	p := numbered(2)
	p.Columns[1].Name = "rows"
	rows, _, err = readRows(t, p, `{"rows":2,"a":1}`, dataset.AnyInput)
	require.NoError(t, err)
	require.Equal(t, [][]float32{{1, 2}}, rows, "a column of that name")
}

// The error of an invalid row names the row. The rows before it have been passed on.
func TestReadRowsRefuses(t *testing.T) {
	for content, c := range map[string]struct {
		before int
		want   string
	}{
		"a,b\n1,2\n\n3,4\n":              {1, "line 3: it is blank, want a row of 2 cells"},
		"a,b\n\n1,2\n":                   {0, "line 2: it is blank"},
		"a,b\n1,2\n3\n":                  {1, "line 3: 1 cells, the header has 2"},
		"a,b\n1,2\n\"3,4\n":              {1, "line 3: "},
		"":                               {0, "empty file"},
		"[1,2]\n[3]\n":                   {1, "row 2: row of 1 values: the model takes 2"},
		"[1,2]\n[]\n[3,4]":               {1, "row 2: row of 0 values: the model takes 2"},
		"[1,2]\n{\"a\":1,":               {1, "row 2: "},
		"[1,2]\n{\"c\":1}":               {1, `row 2: column "c": the model has no such column`},
		"[[1,2],3]":                      {1, "row 2: row is a number: want an array of 2 values"},
		"[[1,2]":                         {1, "row 2: "},
		"[1,2] ]":                        {1, "row 2: "},
		"[1,2]\n3,4":                     {1, "row 2: row is a number"},
		`{"rows":[[1,2]],"more":1}`:      {1, `field "more" after the rows`},
		`{"rows":7}`:                     {0, `row 1: column "rows": the model has no such column`},
		idx([]byte{1, 2, 3}, 2, 2):       {1, "truncated IDX: ends after 1 of 2 rows"},
		idx([]byte{1, 2, 3, 4, 5}, 2, 2): {2, "bytes after the last value"},
		idx([]byte{1, 2, 3}, 1, 3):       {0, "3 values in a row: the model takes 2"},
		idx([]float32{1, 2, 3, nan(), 5, 6}, 3, 2): {1, "row 2: value 2: NaN: want a finite number"},
		idx([]byte{1}, 1)[:5]:                      {0, "truncated IDX: ends after header"},
		"\x00\x00":                                 {0, "truncated IDX: ends after header"},
	} {
		rows, _, err := readRows(t, numbered(2), content, dataset.AnyInput)
		require.ErrorIs(t, err, job.ErrInvalid, "%q", content)
		require.ErrorContains(t, err, c.want, "%q", content)
		require.Len(t, rows, c.before, "%q", content)
	}
	_, _, err := readRows(t, numbered(1), "[1]\n[]\n[2]", dataset.AnyInput)
	require.ErrorContains(t, err, "row 2: row of 0 values", "and not no row")
	_, _, err = readRows(t, numbered(1), "x", "xlsx")
	require.ErrorContains(t, err, `format "xlsx": want one of auto, csv, idx, json`)

	stop := errors.New("stop")
	err = numbered(1).ReadRows(t.Context(), strings.NewReader("[1]"), "", func(dataset.Place, []dataset.Value) error { return stop })
	require.Equal(t, stop, err, "as it is")
}

func nan() float32 { return float32(math.NaN()) }

// endless is a file without an end: head, then row again and again. It counts the bytes
// that were read.
type endless struct {
	left, row string
	read      int
}

func (e *endless) Read(p []byte) (int, error) {
	if e.left == "" {
		e.left = e.row
	}
	n := copy(p, e.left)
	e.left = e.left[n:]
	e.read += n
	return n, nil
}

// ReadRows reads only the rows that it has passed on, plus a buffer. A file may have any
// length.
func TestReadRowsReadsAhead(t *testing.T) {
	const ahead = 256 << 10 // bytes
	dims := idx([]byte{}, math.MaxUint32, 2)
	for name, e := range map[string]*endless{
		"CSV":        {left: "a,b\n", row: "1,2\n"},
		"JSON lines": {row: "[1,2]\n"},
		"an array":   {left: "[[1,2]", row: ",[1,2]"},
		"IDX":        {left: dims, row: "\x01\x02"},
	} {
		t.Run(name, func(t *testing.T) {
			const rows = 300_000
			enough := errors.New("enough")
			n, head := 0, len(e.left)
			err := numbered(2).ReadRows(t.Context(), e, dataset.AnyInput, func(dataset.Place, []dataset.Value) error {
				n++
				if e.read > head+n*len(e.row)+ahead {
					return fmt.Errorf("%d bytes were read for %d rows", e.read, n)
				}
				if n == rows {
					return enough
				}
				return nil
			})
			require.ErrorIs(t, err, enough)
		})
	}
}

// ReadRows refuses a row that never ends, before the row takes all memory.
func TestReadRowsBoundsARow(t *testing.T) {
	const most = 128 << 20
	for name, e := range map[string]*endless{
		"a cell of CSV": {left: "a,b\n1,\"", row: strings.Repeat("x", 1<<16)},
		"JSON text":     {left: `[1,2] ["`, row: strings.Repeat("x", 1<<16)},
		"JSON array":    {left: `[1`, row: strings.Repeat(",1", 1<<15)},
		"JSON blanks":   {left: `[1,2]`, row: strings.Repeat(" ", 1<<16)},
	} {
		t.Run(name, func(t *testing.T) {
			err := numbered(2).ReadRows(t.Context(), e, dataset.AnyInput, func(dataset.Place, []dataset.Value) error { return nil })
			require.ErrorIs(t, err, job.ErrInvalid)
			require.ErrorContains(t, err, "of over 33554432 bytes")
			require.Less(t, e.read, most)
		})
	}
}

func TestReadRowsNamesTheFormatsItTakes(t *testing.T) {
	err := numbered(2).ReadRows(t.Context(), strings.NewReader("PAR1\x15\x04"), "", func(dataset.Place, []dataset.Value) error { return nil })
	require.ErrorIs(t, err, job.ErrInvalid)
	require.ErrorContains(t, err, "it is a Parquet file: want CSV, JSON or IDX")
}

func FuzzReadRows(f *testing.F) {
	for _, content := range []string{"a,b\n1,2\n\n", "[1,2] {\"a\":1}", `{"rows":[[1,2]]}`, idx([]byte{1, 2}, 1, 2), packed("[1,2]")} {
		f.Add([]byte(content))
	}
	f.Fuzz(func(t *testing.T, content []byte) {
		for _, columns := range []int{1, 2} {
			p := numbered(columns)
			err := p.ReadRows(t.Context(), bytes.NewReader(content), dataset.AnyInput, func(_ dataset.Place, values []dataset.Value) error {
				require.Len(t, values, columns)
				return nil
			})
			if err != nil {
				require.ErrorIs(t, err, job.ErrInvalid)
			}
		}
	})
}
