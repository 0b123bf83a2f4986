package tabular

import (
	"bufio"
	"bytes"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"strings"
	"unicode/utf8"

	"tributary/shared/job"
)

// Limits of a CSV file. A record must not take the whole file into memory, and a
// table's columns stay in memory for as long as the table is in use.
const (
	// MaxColumns limits the cells of a record, and so the columns of a table.
	MaxColumns = 1 << 20
	// MaxName limits the name of a column, in bytes.
	MaxName   = 1024
	maxRecord = 32 << 20 // bytes of a record
	lookEvery = 1 << 12  // columns of a header between two checks of the context
)

// CSV reads the records of a comma-separated file (RFC 4180) with a header.
type CSV struct {
	Header []string // column names: not empty, all different
	index  map[string]int
	csv    *csv.Reader
	ended  int // line in which the record before the last record ended
	next   int // line after the last record
}

// recordReader is a reader that fails when a single record has too many bytes or cells,
// before the CSV reader stores them. It finds the ends of cells and records by counting
// quotes, as RFC 4180 defines them.
type recordReader struct {
	in            io.Reader
	bytes, commas int  // of the record that is being read, commas outside of quotes
	quoted        bool // whether the last quote of the record is open
}

func (r *recordReader) Read(p []byte) (int, error) {
	n, err := r.in.Read(p)
	r.count(p[:n])
	switch {
	case r.bytes > maxRecord:
		return 0, fmt.Errorf("a record of over %d bytes (a quote never closed?): %w", maxRecord, job.ErrInvalid)
	case r.commas >= MaxColumns:
		return 0, fmt.Errorf("a record of over %d cells: want at most as many columns: %w", MaxColumns, job.ErrInvalid)
	}
	return n, err
}

// count updates the bytes and commas of the current record.
func (r *recordReader) count(p []byte) {
	for len(p) > 0 {
		part, rest := p, []byte(nil)
		if i := bytes.IndexByte(p, '"'); i >= 0 {
			part, rest = p[:i+1], p[i+1:]
		}
		if !r.quoted {
			unquoted := part
			if i := bytes.LastIndexByte(part, '\n'); i >= 0 {
				r.bytes, r.commas = 0, 0
				unquoted = part[i+1:]
			}
			r.commas += bytes.Count(unquoted, comma)
			r.bytes += len(unquoted)
		} else {
			r.bytes += len(part)
		}
		if part[len(part)-1] == '"' {
			r.quoted = !r.quoted
		}
		p = rest
	}
}

var comma = []byte{','}

// OpenCSV reads the header. Errors in the content wrap job.ErrInvalid.
func OpenCSV(s *Source) (*CSV, error) {
	buffered := bufio.NewReaderSize(s, 64<<10)
	if bom, _ := buffered.Peek(3); string(bom) == "\xef\xbb\xbf" {
		_, _ = buffered.Discard(3)
	}
	c := &CSV{csv: csv.NewReader(&recordReader{in: buffered})}
	c.csv.ReuseRecord = true
	header, err := c.csv.Read()
	if errors.Is(err, io.EOF) {
		return nil, fmt.Errorf("empty file: want a header line and rows: %w", job.ErrInvalid)
	}
	if err != nil {
		return nil, c.explain(err)
	}
	if len(header) > MaxColumns {
		return nil, fmt.Errorf("header: %d columns: want at most %d: %w", len(header), MaxColumns, job.ErrInvalid)
	}
	c.follow(header)
	c.index = make(map[string]int, len(header))
	for i, name := range header {
		if i%lookEvery == 0 && s.ctx.Err() != nil {
			return nil, s.ctx.Err()
		}
		name = strings.TrimSpace(name)
		switch first, twice := c.index[name]; {
		case name == "":
			return nil, fmt.Errorf("header: column %d has no name; give it one (and name it in data.drop if it is an index): %w", i+1, job.ErrInvalid)
		case len(name) > MaxName:
			return nil, fmt.Errorf("header: the name of column %d has %d bytes: want at most %d: %w", i+1, len(name), MaxName, job.ErrInvalid)
		case !utf8.ValidString(name):
			return nil, fmt.Errorf("header: column %d is not UTF-8 text: %w", i+1, job.ErrInvalid)
		case twice:
			return nil, fmt.Errorf("header: columns %d and %d are both named %.80q: %w", first+1, i+1, name, job.ErrInvalid)
		}
		name = strings.Clone(name)
		c.index[name] = i
		c.Header = append(c.Header, name)
	}
	return c, nil
}

// Next returns the next record, which has as many cells as the header. The following call
// overwrites it. After the last record it returns io.EOF.
func (c *CSV) Next() ([]string, error) {
	record, err := c.csv.Read()
	if err == nil {
		c.follow(record)
	}
	if err == nil || errors.Is(err, io.EOF) {
		return record, err
	}
	if errors.Is(err, csv.ErrFieldCount) {
		return nil, fmt.Errorf("line %d: %d cells, the header has %d: %w", c.Line(0), len(record), len(c.Header), job.ErrInvalid)
	}
	return nil, c.explain(err)
}

// follow records the line in which a record ends: the line in which it begins, plus one for
// each line break in a quoted cell.
func (c *CSV) follow(record []string) {
	c.ended, c.next = c.next, c.Line(0)+1
	for _, cell := range record {
		c.next += strings.Count(cell, "\n")
	}
}

// Blank returns the range of lines [first, end) between the last two records. These lines
// are blank and are not records.
func (c *CSV) Blank() (first, end int) { return c.ended, c.Line(0) }

// Line returns the line in which a cell of the last record begins.
func (c *CSV) Line(cell int) int {
	line, _ := c.csv.FieldPos(cell)
	return line
}

// Index returns the position of a column in the header.
func (c *CSV) Index(name string) (int, bool) {
	i, ok := c.index[name]
	return i, ok
}

// explain wraps a malformed record in job.ErrInvalid. It returns an error of reading the
// source unchanged.
func (c *CSV) explain(err error) error {
	if parse := (*csv.ParseError)(nil); errors.As(err, &parse) {
		return fmt.Errorf("line %d: %w: %w", parse.Line, parse.Err, job.ErrInvalid)
	}
	return err
}
