// Package parquet reads the flat columns of a Parquet file row by row, as texts.
//
// It owns the file's structure, and the checks that make any bytes safe to read. It leaves
// the meaning of a text to package dataset, and refuses lists and objects by name only.
// Ingest calls it. The library github.com/parquet-go/parquet-go decodes the pages.
//
// Invariant: any bytes give the rows that the footer announces or an error, never a panic,
// and take at most the memory of the limits in this package.
package parquet

import (
	"errors"
	"fmt"
	"io"
	"math"
	"slices"

	pq "github.com/parquet-go/parquet-go"
	"github.com/parquet-go/parquet-go/format"

	"tributary/shared/dataset/tabular"
	"tributary/shared/job"
	"tributary/shared/lifecycle"
)

// File reads a Parquet file.
type File struct {
	Names []string
	Kinds []tabular.Kind // Nested for columns without single values, and for unknown types
	Rows  int64          // as the footer announces

	file    *pq.File
	in      io.ReaderAt
	size    int64
	columns []column
	group   int
	left    int64 // rows of the row group
	row     int64
	cells   []string
	numbers []float64 // of the last row; nil: numbers are texts as well
}

// column reads the values of a flat column.
type column struct {
	at     int // index of the leaf
	leaf   leaf
	write  func(pq.Value) string  // nil if the column is not read
	number func(pq.Value) float64 // nil if the values are no floats
	pages  pq.Pages
	page   pq.Page
	values pq.ValueReader
	buffer []pq.Value
	next   []pq.Value // what is left of buffer
}

// batch is the number of values of a column that are decoded at a time.
const batch = 256

// Open reads the footer.
func Open(r io.ReaderAt, size int64) (f *File, err error) {
	err = safely(func() error {
		file, err := open(r, size)
		if err != nil {
			return err
		}
		f = &File{file: file, in: r, size: size, Rows: file.NumRows()}
		return f.schema()
	})
	return f, err
}

// safely runs f and makes its panics, and errors of the library, faults of the file.
func safely(f func() error) error {
	err := lifecycle.Contain("read Parquet", f)
	switch panicked := (*lifecycle.PanicError)(nil); {
	case err == nil, errors.Is(err, job.ErrInvalid), errors.Is(err, io.EOF) && !errors.Is(err, io.ErrUnexpectedEOF):
		return err
	case errors.As(err, &panicked):
		return fmt.Errorf("damaged Parquet: %v: %w", panicked.Value, job.ErrInvalid)
	default:
		return fmt.Errorf("damaged Parquet: %w: %w", err, job.ErrInvalid)
	}
}

// schema lists the columns.
func (f *File) schema() error {
	leaves := map[int]*format.SchemaElement{}
	elements := f.file.Metadata().Schema
	for i := range elements {
		if e := &elements[i]; i > 0 && !(e.NumChildren.Valid && e.NumChildren.V > 0) {
			leaves[len(leaves)] = e
		}
	}
	seen := map[string]bool{}
	for i, c := range f.file.Root().Columns() {
		name := c.Name()
		if name == "" || len(name) > tabular.MaxName || seen[name] {
			return fmt.Errorf("column %d: name %.80q of %d bytes: want each once, of 1 to %d bytes: %w", i+1, name, len(name), tabular.MaxName, job.ErrInvalid)
		}
		seen[name] = true
		kind, read := tabular.Nested, column{}
		if c.Leaf() && !c.Repeated() {
			read.at = c.Index()
			e := leaves[read.at]
			known := e != nil && e.Type.Valid && e.Type.V >= format.Boolean && e.Type.V <= format.FixedLenByteArray
			if known {
				read.leaf = leaf{e.Type.V, int64(e.TypeLength.V), c.Optional()}
				var text bool
				read.number = numberOf(e)
				if read.write, text = textOf(e); text {
					kind = tabular.Text
				} else if read.write != nil {
					kind = tabular.Any
				}
			}
		}
		f.Names = append(f.Names, name)
		f.Kinds = append(f.Kinds, kind)
		f.columns = append(f.columns, read)
	}
	f.cells = make([]string, len(f.Names))
	return nil
}

// Leave says that the values of a column are not read.
func (f *File) Leave(i int) { f.columns[i].write = nil }

// Line returns the number of the last row, from 1 on.
func (f *File) Line(int) int { return int(f.row) }

// Next returns the next row. The following call overwrites it. After the last row it
// returns io.EOF.
func (f *File) Next() ([]string, error) {
	if err := safely(f.next); err != nil {
		return nil, err
	}
	return f.cells, nil
}

func (f *File) next() error {
	if f.left == 0 {
		if err := f.begin(); err != nil {
			return err
		}
	}
	f.row++
	f.left--
	for i := range f.columns {
		c := &f.columns[i]
		if c.write == nil {
			continue
		}
		if len(c.next) == 0 {
			if err := c.fill(); err != nil {
				return damaged(f.Names[i], err)
			}
		}
		f.cells[i] = ""
		if f.numbers != nil {
			f.numbers[i] = math.NaN()
		}
		if v := c.next[0]; !v.IsNull() && !f.numbered(i, v) {
			f.cells[i] = c.write(v)
		}
		c.next = c.next[1:]
	}
	return nil
}

// Numbers makes Next leave out the texts of finite floats. It returns where Next puts the floats
// of a row: NaN for a cell that has a text, or nothing. Text is the text that was left out.
func (f *File) Numbers() []float64 {
	f.numbers = make([]float64, len(f.Names))
	for i := range f.numbers {
		f.numbers[i] = math.NaN()
	}
	return f.numbers
}

// numbered puts the value of a column where Numbers said, if it is a finite float.
func (f *File) numbered(i int, v pq.Value) bool {
	c := &f.columns[i]
	if f.numbers == nil || c.number == nil {
		return false
	}
	x := c.number(v)
	if !(math.Abs(x) <= math.MaxFloat64) {
		return false
	}
	f.numbers[i] = x
	return true
}

// begin opens the next row group that has rows.
func (f *File) begin() error {
	f.Close()
	groups := f.file.RowGroups()
	for f.left == 0 {
		if f.group == len(groups) {
			if f.row != f.Rows {
				return fmt.Errorf("the footer announces %d rows, there are %d: %w", f.Rows, f.row, job.ErrInvalid)
			}
			return io.EOF
		}
		f.left = groups[f.group].NumRows()
		f.group++
	}
	if !slices.ContainsFunc(f.columns, func(c column) bool { return c.write != nil }) {
		return fmt.Errorf("no column of single values is left: want at least one: %w", job.ErrInvalid) // any number of rows would take no bytes
	}
	chunks := groups[f.group-1].ColumnChunks()
	meta := f.file.Metadata().RowGroups[f.group-1].Columns
	var memory int64
	for i := range f.columns {
		c := &f.columns[i]
		if c.write == nil {
			continue
		}
		if c.at >= len(chunks) || c.at >= len(meta) {
			return damaged(f.Names[i], fmt.Errorf("row group %d does not have it", f.group))
		}
		n, err := checkPages(f.in, f.size, &c.leaf, &meta[c.at].MetaData, f.left)
		if err != nil {
			return damaged(f.Names[i], err)
		}
		if memory += n; memory > maxPagesBytes {
			return fmt.Errorf("row group %d: the largest pages of the columns take over %d bytes: write smaller data pages, or leave columns out with data.drop: %w",
				f.group, maxPagesBytes, job.ErrInvalid)
		}
		c.pages = chunks[c.at].Pages()
	}
	return nil
}

// fill decodes the next values.
func (c *column) fill() error {
	for {
		if c.values == nil {
			page, err := c.pages.ReadPage()
			if errors.Is(err, io.EOF) {
				return io.ErrUnexpectedEOF // the row group has more rows
			}
			if err != nil {
				return err
			}
			c.page, c.values = page, page.Values()
			if c.buffer == nil {
				c.buffer = make([]pq.Value, batch)
			}
		}
		n, err := c.values.ReadValues(c.buffer)
		if c.next = c.buffer[:n]; err != nil {
			if !errors.Is(err, io.EOF) {
				return err
			}
			c.values = nil
		}
		if n > 0 {
			return nil
		}
		if err == nil {
			return io.ErrNoProgress
		}
		pq.Release(c.page)
		c.page = nil
	}
}

// Close gives back the memory of the pages. It does not close the file.
func (f *File) Close() {
	for i := range f.columns {
		if c := &f.columns[i]; c.pages != nil {
			_ = c.pages.Close()
			c.pages, c.page, c.values, c.next = nil, nil, nil, nil
		}
	}
}
