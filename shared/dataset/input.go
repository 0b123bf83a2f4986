package dataset

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"math"

	"tributary/shared/dataset/tabular"
	"tributary/shared/job"
)

// InputFormat is the format of a file of raw rows for prediction.
type InputFormat string

// The formats.
const (
	AnyInput  InputFormat = "auto" // recognized by the file's first bytes
	CSVInput  InputFormat = "csv"
	IDXInput  InputFormat = "idx"
	JSONInput InputFormat = "json"
)

// Place is the position of a row in its file.
type Place struct {
	Unit   string // "line" or "row"
	Number int
	File   string // the file's name if there are several files, or ""
}

func (p Place) String() string {
	if p.File != "" {
		return fmt.Sprintf("%s %d of %.80q", p.Unit, p.Number, p.File)
	}
	return fmt.Sprintf("%s %d", p.Unit, p.Number)
}

// EachRow receives the rows of an input: the values of the columns, and the cells of extra
// columns. The next row overwrites both.
type EachRow func(at Place, values []Value, cells []Cell) error

// Reading says how Read reads a file of raw rows.
type Reading struct {
	Format InputFormat
	// Extra names columns whose cells are passed on as they are: ids, or the label. Every
	// row must have them. They may be columns of the model too.
	Extra []string
}

// ReadRows is Read without extra columns.
func (p *Preprocessing) ReadRows(ctx context.Context, r io.Reader, format InputFormat, row func(at Place, values []Value) error) error {
	return p.Read(ctx, r, Reading{Format: format}, func(at Place, values []Value, _ []Cell) error { return row(at, values) })
}

// Read reads raw rows for prediction from a file, which may be packed (gzip, zstd, bzip2, zip), and calls row for
// each. The next row overwrites the values and the cells. Read needs the memory of one row, at most
// 32 MiB, for a file of any length. An error of row ends the reading and is returned
// unchanged. Any other error says where in the file it occurred.
//
// A CSV file has a header that names the columns in any order. Read ignores the column
// of the label and columns that the model does not know. A blank line between rows depends
// on the number of columns in the file: with one column it is a row with a missing value,
// with more it is an error. Blank lines after the last row are ignored.
//
// A row of an IDX file [rows, …] has the values of the columns in order.
//
// A JSON file has rows as RowReader reads them: one after the other (JSON lines), in an
// array, or in {"rows": […]}. Blanks and line breaks between them have no meaning. An array
// of numbers or strings is one row; if the model has one column, each element is a row.
func (p *Preprocessing) Read(ctx context.Context, r io.Reader, how Reading, row EachRow) error {
	source, err := tabular.Open(ctx, r, math.MaxInt64)
	if err != nil {
		return err
	}
	defer source.Close()
	return p.ReadContent(source, how, row)
}

// ReadContent is Read for the unpacked content of a file.
func (p *Preprocessing) ReadContent(source *tabular.Source, how Reading, row EachRow) error {
	if string(source.Peek(4)) == "PAR1" {
		return fmt.Errorf("it is a Parquet file: want CSV, JSON or IDX (pandas: read_parquet(…).to_csv(…, index=False)): %w", job.ErrInvalid)
	}
	format, more := how.Format, newExtra(how.Extra)
	if format == AnyInput || format == "" {
		format = inputFormat(source)
	}
	switch format {
	case CSVInput:
		return p.readCSV(source, more, row)
	case IDXInput:
		if err := more.refuse("an IDX file"); err != nil {
			return err
		}
		return p.readIDX(source, func(at Place, values []Value) error { return row(at, values, nil) })
	case JSONInput:
		return p.readJSON(source, more, row)
	default:
		return fmt.Errorf("format %.80q: want one of %s, %s, %s, %s: %w", string(format), AnyInput, CSVInput, IDXInput, JSONInput, job.ErrInvalid)
	}
}

// inputFormat recognizes a format by the first bytes: two zeros are IDX, a bracket or a
// brace is JSON, and anything else is CSV.
func inputFormat(s *tabular.Source) InputFormat {
	const enough = 512
	head := s.Peek(enough)
	if bytes.HasPrefix(head, []byte{0, 0}) {
		return IDXInput
	}
	head = bytes.TrimLeft(bytes.TrimPrefix(head, []byte("\xef\xbb\xbf")), " \t\r\n")
	if len(head) > 0 && (head[0] == '[' || head[0] == '{') {
		return JSONInput
	}
	return CSVInput
}

// readIDX reads the rows of an IDX file.
func (p *Preprocessing) readIDX(s *tabular.Source, row func(at Place, values []Value) error) error {
	const maxDims = 4
	head, err := tabular.ReadIDXHeader(s, math.MaxInt64, maxDims)
	if err != nil {
		return err
	}
	if head.Width != len(p.Columns) {
		return fmt.Errorf("%d values in a row: the model takes %d: %w", head.Width, len(p.Columns), job.ErrInvalid)
	}
	raw := make([]byte, head.Width*head.Size())
	numbers, values := make([]float64, 0, head.Width), make([]Value, head.Width)
	for n := 1; n <= head.Rows; n++ {
		at := Place{Unit: "row", Number: n}
		if _, err := io.ReadFull(s, raw); err != nil {
			return tabular.TruncatedIDX(fmt.Sprintf("%d of %d rows", n-1, head.Rows), err)
		}
		numbers = head.Decode(numbers[:0], raw)
		for i, x := range numbers {
			if !finite(x) {
				return fmt.Errorf("%s: value %d: %v: want a finite number: %w", at, i+1, x, job.ErrInvalid)
			}
			values[i] = Number(x)
		}
		if err := row(at, values); err != nil {
			return err
		}
	}
	return tabular.EndIDX(s)
}

// maxJSONRow limits the bytes of a row of JSON.
const maxJSONRow = 32 << 20

// rowLimit is a reader that fails when a row has too many bytes, before the decoder stores
// them.
type rowLimit struct {
	in    io.Reader
	bytes int // since the row began
}

func (l *rowLimit) Read(p []byte) (int, error) {
	if l.bytes > maxJSONRow {
		return 0, fmt.Errorf("a row of over %d bytes: want a shorter one: %w", maxJSONRow, job.ErrInvalid)
	}
	n, err := l.in.Read(p)
	l.bytes += n
	return n, err
}
