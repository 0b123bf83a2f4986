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
	AnyInput  InputFormat = "auto" // told by the file's first bytes
	CSVInput  InputFormat = "csv"
	IDXInput  InputFormat = "idx"
	JSONInput InputFormat = "json"
)

// Place is where a row is in its file.
type Place struct {
	Unit   string // "line" or "row"
	Number int
}

func (p Place) String() string { return fmt.Sprintf("%s %d", p.Unit, p.Number) }

// ReadRows reads raw rows for prediction from a file, packed or not, and hands each to
// row; the values are overwritten by the next. It takes the memory of a row, of at most
// 32 MiB, whatever the file's length. An error of row ends the reading and is returned as
// it is; any other says where it is in the file.
//
// A CSV file has a header that names the columns in any order; the label's column and
// columns the model does not know are passed over. A blank line between rows is a row of a
// missing value where the file has one column, and refused where it has more; blank lines
// after the last row are none. A row of an IDX file [rows, …] has the columns' values
// in order. A JSON file has rows as RowReader reads them, one after the other (JSON lines),
// in an array, or in {"rows": […]}; blanks and line breaks between them mean nothing, and an
// array of numbers or strings is one row, or one for each where the model has one column.
func (p *Preprocessing) ReadRows(ctx context.Context, r io.Reader, format InputFormat, row func(at Place, values []Value) error) error {
	source, err := tabular.Open(ctx, r, math.MaxInt64)
	if err != nil {
		return err
	}
	if format == AnyInput || format == "" {
		format = inputFormat(source)
	}
	switch format {
	case CSVInput:
		return p.readCSV(source, row)
	case IDXInput:
		return p.readIDX(source, row)
	case JSONInput:
		return p.readJSON(source, row)
	default:
		return fmt.Errorf("format %.80q: want one of %s, %s, %s, %s: %w", string(format), AnyInput, CSVInput, IDXInput, JSONInput, job.ErrInvalid)
	}
}

// inputFormat tells a format by the first bytes: two zeros are IDX, a bracket or a brace
// is JSON, and all else is CSV.
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
		at := Place{"row", n}
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

// maxJSONRow bounds the bytes of a row of JSON.
const maxJSONRow = 32 << 20

// rowLimit fails once a row has too many bytes, before the decoder keeps them.
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
