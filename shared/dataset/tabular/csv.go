package tabular

import (
	"bufio"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"strings"
	"unicode/utf8"

	"tributary/shared/job"
)

// maxRecord bounds one record of a CSV file, in bytes: a quote that is never
// closed must not take the whole file into memory.
const maxRecord = 64 << 20

// CSV reads the records of a comma-separated file (RFC 4180) with a header.
type CSV struct {
	Header []string // column names: none empty, none twice
	in     *recordReader
	csv    *csv.Reader
}

// recordReader fails once a single record has taken too much.
type recordReader struct {
	in     io.Reader
	record int // bytes read since the last record was complete
}

func (r *recordReader) Read(p []byte) (int, error) {
	if r.record > maxRecord {
		return 0, fmt.Errorf("a record of over %d bytes (a quote never closed?): %w", maxRecord, job.ErrInvalid)
	}
	n, err := r.in.Read(p)
	r.record += n
	return n, err
}

// OpenCSV reads the header. Errors in the content wrap job.ErrInvalid.
func OpenCSV(s *Source) (*CSV, error) {
	buffered := bufio.NewReaderSize(s, 64<<10)
	if bom, _ := buffered.Peek(3); string(bom) == "\xef\xbb\xbf" {
		_, _ = buffered.Discard(3)
	}
	c := &CSV{in: &recordReader{in: buffered}}
	c.csv = csv.NewReader(c.in)
	c.csv.ReuseRecord = true
	header, err := c.csv.Read()
	if errors.Is(err, io.EOF) {
		return nil, fmt.Errorf("empty file: want a header line and rows: %w", job.ErrInvalid)
	}
	if err != nil {
		return nil, c.explain(err)
	}
	seen := make(map[string]int, len(header))
	for i, name := range header {
		name = strings.TrimSpace(name)
		switch first, twice := seen[name]; {
		case name == "":
			return nil, fmt.Errorf("header: column %d has no name; give it one (and name it in data.drop if it is an index): %w", i+1, job.ErrInvalid)
		case !utf8.ValidString(name):
			return nil, fmt.Errorf("header: column %d is not UTF-8 text: %w", i+1, job.ErrInvalid)
		case twice:
			return nil, fmt.Errorf("header: columns %d and %d are both named %.80q: %w", first+1, i+1, name, job.ErrInvalid)
		}
		seen[name] = i
		c.Header = append(c.Header, strings.Clone(name))
	}
	return c, nil
}

// Next returns the next record, which has as many cells as the header and is
// overwritten by the call after, and io.EOF after the last.
func (c *CSV) Next() ([]string, error) {
	c.in.record = 0
	record, err := c.csv.Read()
	if err == nil || errors.Is(err, io.EOF) {
		return record, err
	}
	if errors.Is(err, csv.ErrFieldCount) {
		return nil, fmt.Errorf("line %d: %d cells, the header has %d: %w", c.Line(0), len(record), len(c.Header), job.ErrInvalid)
	}
	return nil, c.explain(err)
}

// Line returns the line that a cell of the last record begins in.
func (c *CSV) Line(cell int) int {
	line, _ := c.csv.FieldPos(cell)
	return line
}

// Index returns the position of a column in the header.
func (c *CSV) Index(name string) (int, bool) {
	for i, h := range c.Header {
		if h == name {
			return i, true
		}
	}
	return 0, false
}

// explain gives a malformed record the class of an input error; what failed in
// reading the source keeps its own.
func (c *CSV) explain(err error) error {
	if parse := (*csv.ParseError)(nil); errors.As(err, &parse) {
		return fmt.Errorf("line %d: %w: %w", parse.Line, parse.Err, job.ErrInvalid)
	}
	return err
}
