package tabular

import (
	"bufio"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"slices"
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

// CSV reads the records of a file of separated cells (RFC 4180, and what job.CSVOptions
// allows beside it).
type CSV struct {
	Header   []string // column names: not empty, all different
	Unnamed  []bool   // the columns without a name in the header; nil if there are none
	Detected []string // what was detected in the file, for the user
	index    map[string]int
	csv      *csv.Reader
	normal   *normal // nil if the bytes are read as they are
	trim     bool
	first    []string // the first record, if it is not the header
	ended    int      // line in which the record before the last record ended
	next     int      // line after the last record
}

// OpenCSV reads the header. options may be nil. optional names columns that a file without a
// header may lack, all of them, although options.Names has them. Errors in the content wrap
// job.ErrInvalid.
func OpenCSV(s *Source, options *job.CSVOptions, optional []string) (*CSV, error) {
	o := job.CSVOptions{}
	if options != nil {
		o = *options
	}
	c := &CSV{trim: o.Trim}
	c.reader(s, &o)
	record, err := c.csv.Read()
	if errors.Is(err, io.EOF) {
		return nil, fmt.Errorf("empty file: want a header line and rows: %w", job.ErrInvalid)
	}
	if err != nil {
		return nil, c.explain(err)
	}
	if len(record) > MaxColumns {
		return nil, fmt.Errorf("header: %d columns: want at most %d: %w", len(record), MaxColumns, job.ErrInvalid)
	}
	c.restore(record)
	if o.HasHeader() {
		c.follow(record)
	} else {
		c.first, c.next = record, c.Line(0)
	}
	names, err := headerOf(&o, record, optional)
	if err != nil {
		return nil, err
	}
	return c, c.name(s, names)
}

// reader sets up the reader of records.
func (c *CSV) reader(s *Source, o *job.CSVOptions) {
	in, encoding := decode(bufio.NewReaderSize(s, bufferBytes), o.Encoding)
	if encoding != "" {
		c.Detected = append(c.Detected, fmt.Sprintf("the characters are encoded as %s, as the byte order mark says", encoding))
	}
	n := &normal{in: in, returns: returnsAlone(in), blanks: o.Delimiter == job.Whitespace, quote: '"', noQuote: o.Quote == job.NoQuote}
	if n.returns {
		c.Detected = append(c.Detected, "the lines end with a carriage return")
	}
	if o.Comment != "" {
		n.comment = o.Comment[0]
	}
	if o.Quote == "'" {
		n.quote = '\''
	}
	if n.returns || n.blanks || n.comment != 0 || n.quote != '"' || n.noQuote {
		c.normal, in = n, bufio.NewReaderSize(n, bufferBytes)
	}
	delimiter := byte('\t')
	switch {
	case o.Delimiter == "":
		if delimiter = detect(in); delimiter != ',' {
			c.Detected = append(c.Detected, fmt.Sprintf("the cells are separated by %q, as the header and the first rows show", string(delimiter)))
		}
	case !n.blanks:
		delimiter = o.Delimiter[0]
	}
	c.csv = csv.NewReader(&recordReader{in: in, delimiter: delimiter})
	c.csv.Comma = rune(delimiter)
	c.csv.TrimLeadingSpace = o.Trim && delimiter != '\t' && delimiter != ' '
	c.csv.ReuseRecord = true
}

// headerOf returns the names of the columns.
func headerOf(o *job.CSVOptions, record, optional []string) ([]string, error) {
	names := o.Names
	switch {
	case o.HasHeader() && len(names) == 0:
		return record, nil
	case len(names) == 0:
		names = make([]string, len(record))
		for i := range names {
			names[i] = fmt.Sprintf("x%d", i)
		}
	case len(names) == len(record)+len(optional) && !o.HasHeader():
		var left []string
		for _, name := range names {
			if !slices.Contains(optional, name) {
				left = append(left, name)
			}
		}
		names = left
	}
	if len(names) != len(record) {
		return nil, fmt.Errorf("line 1: %d cells, data.csv.names has %d names: want as many: %w", len(record), len(names), job.ErrInvalid)
	}
	return names, nil
}

// name sets the names of the columns.
func (c *CSV) name(s *Source, header []string) error {
	c.index = make(map[string]int, len(header))
	for i, name := range header {
		if i%lookEvery == 0 && s.ctx.Err() != nil {
			return s.ctx.Err()
		}
		name = strings.TrimSpace(name)
		if name == "" { // as pandas names it
			name = fmt.Sprintf("Unnamed: %d", i)
			if c.Unnamed == nil {
				c.Unnamed = make([]bool, len(header))
			}
			c.Unnamed[i] = true
		}
		switch first, twice := c.index[name]; {
		case len(name) > MaxName:
			return fmt.Errorf("header: the name of column %d has %d bytes: want at most %d: %w", i+1, len(name), MaxName, job.ErrInvalid)
		case strings.ContainsRune(name, 0):
			return fmt.Errorf("header: column %d has a zero byte in its name: if the file is UTF-16, set data.csv.encoding to utf-16le or utf-16be: %w", i+1, job.ErrInvalid)
		case !utf8.ValidString(name):
			return fmt.Errorf("header: column %d is not UTF-8 text: set data.csv.encoding (latin-1, windows-1252, …): %w", i+1, job.ErrInvalid)
		case twice:
			return fmt.Errorf("header: columns %d and %d are both named %.80q: give all columns names of their own, in the file or in data.csv.names: %w",
				first+1, i+1, name, job.ErrInvalid)
		}
		name = strings.Clone(name)
		c.index[name] = i
		c.Header = append(c.Header, name)
	}
	return nil
}

// Next returns the next record, which has as many cells as the header. The following call
// overwrites it. After the last record it returns io.EOF.
func (c *CSV) Next() ([]string, error) {
	if record := c.first; record != nil {
		c.first = nil
		c.follow(record)
		return record, nil
	}
	record, err := c.csv.Read()
	if err == nil {
		c.restore(record)
		c.follow(record)
	}
	if err == nil || errors.Is(err, io.EOF) {
		return record, err
	}
	if errors.Is(err, csv.ErrFieldCount) {
		return nil, fmt.Errorf("line %d: %d cells, the header has %d%s: %w", c.Line(0), len(record), len(c.Header), c.remedy(len(record)), job.ErrInvalid)
	}
	return nil, c.explain(err)
}

// restore gives the cells their text.
func (c *CSV) restore(record []string) {
	for i, cell := range record {
		if c.normal != nil {
			cell = c.normal.original(cell)
		}
		if c.trim {
			cell = strings.TrimSpace(cell)
		}
		record[i] = cell
	}
}

// remedy says how a record of another number of cells than the header is corrected.
func (c *CSV) remedy(cells int) string {
	for _, d := range delimiters {
		for _, name := range c.Header {
			if rune(d) != c.csv.Comma && strings.IndexByte(name, d) >= 0 {
				return fmt.Sprintf(": if %q separates them, set data.csv.delimiter", string(d))
			}
		}
	}
	if cells < len(c.Header) {
		return ": write an empty cell for a missing value"
	}
	return fmt.Sprintf(": enclose a cell that has a %q in quotes", string(c.csv.Comma))
}

// follow records the line in which a record ends: the line in which its last cell begins,
// plus one for each line break in it.
func (c *CSV) follow(record []string) {
	last := len(record) - 1
	c.ended, c.next = c.next, c.Line(last)+1+strings.Count(record[last], "\n")
}

// Blank returns the range of lines [first, end) between the last two records. These lines
// are blank and are not records. The range is empty where lines may be comments.
func (c *CSV) Blank() (first, end int) {
	if c.normal != nil && c.normal.comment != 0 {
		return 0, 0
	}
	return c.ended, c.Line(0)
}

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
	parse := (*csv.ParseError)(nil)
	if !errors.As(err, &parse) {
		return err
	}
	remedy := ""
	if errors.Is(err, csv.ErrBareQuote) || errors.Is(err, csv.ErrQuote) {
		remedy = " (inside a quoted cell write a quote twice; if quotes are text, set data.csv.quote to none)"
	}
	return fmt.Errorf("line %d: %w%s: %w", parse.Line, parse.Err, remedy, job.ErrInvalid)
}
