package ingest

import (
	"context"
	"errors"
	"fmt"
	"io"

	"tributary/shared/dataset"
	"tributary/shared/dataset/parquet"
	"tributary/shared/job"
	"tributary/shared/lifecycle"
)

// A file is read in batches of rows. One goroutine cuts the next batches into cells, while
// others read the numbers and texts of the batch in hand, each in columns of its own. So
// every column still sees its cells in the order of the rows, and the result is the same for
// any number of CPUs.

// Limits of a batch. A batch has at least one row, whatever its size.
const (
	batchCells = 32 << 10
	batchBytes = 1 << 20
	batchesMax = 3 // in memory at once
)

// batch is consecutive rows of a file.
type batch struct {
	unit  string
	width int
	cells []string // [rows, width]
	// values has the numbers whose texts were left out, [rows, width], NaN for all other
	// cells; empty: there are none.
	values []float64
	lines  []int         // where the first cell of each row is
	spans  map[int][]int // where the cells of a row are that covers several lines
	err    error         // what ended the file after these rows: io.EOF or a fault
}

// rows returns the number of rows.
func (b *batch) rows() int { return len(b.lines) }

// value returns a number whose text was left out; ok is false for any other cell.
func (b *batch) value(row, cell int) (x float64, ok bool) {
	if len(b.values) == 0 {
		return 0, false
	}
	x = b.values[row*b.width+cell]
	return x, x == x //nolint:gocritic // NaN
}

// plainly reports whether numbers are read without regard to their texts: no form and no words
// for missing values say otherwise.
func plainly(form *dataset.Form, o *job.CSVOptions) bool {
	return form == nil && (o == nil || o.NA == nil)
}

// text returns the text of a cell.
func (b *batch) text(row, cell int) string {
	if x, ok := b.value(row, cell); ok {
		return parquet.Text(x)
	}
	return b.cells[row*b.width+cell]
}

// row sets dst to the texts of a row.
func (b *batch) row(dst []string, i int) []string {
	dst = dst[:0]
	for j := range b.width {
		dst = append(dst, b.text(i, j))
	}
	return dst
}

// place says where a cell is, like "line 3".
func (b *batch) place(row, cell int) string {
	line := b.lines[row]
	if span := b.spans[row]; span != nil {
		line = span[cell]
	}
	return fmt.Sprintf("%s %d", b.unit, line)
}

// read fills the batch with the next rows of a file.
func (b *batch) read(file *records, numbers []float64) {
	b.unit, b.width = file.unit, len(file.names)
	clear(b.cells) // the texts of the batch before
	b.cells, b.values, b.lines, b.spans, b.err = b.cells[:0], b.values[:0], b.lines[:0], nil, nil
	for bytes := 0; bytes < batchBytes && (len(b.cells) < batchCells || b.rows() == 0); {
		row, err := file.next()
		if err != nil {
			b.err = err
			return
		}
		b.cells, b.values = append(b.cells, row...), append(b.values, numbers...)
		for _, cell := range row {
			bytes += len(cell)
		}
		first, last := file.line(0), file.line(len(row)-1)
		if first != last {
			b.span(file, len(row))
		}
		b.lines = append(b.lines, first)
	}
}

// span records the lines of the cells of the last row.
func (b *batch) span(file *records, cells int) {
	if b.spans == nil {
		b.spans = map[int][]int{}
	}
	span := make([]int, cells)
	for i := range span {
		span[i] = file.line(i)
	}
	b.spans[b.rows()] = span
}

// batches passes the rows of a file to use, in order. It returns the first error in the order
// of the rows. When it returns, nothing reads the file any more.
func (r *records) batches(ctx context.Context, use func(*batch) error) error {
	ctx, cancel := context.WithCancel(ctx)
	var numbers []float64
	if r.numbers != nil {
		numbers = r.numbers()
	}
	free, full := make(chan *batch, batchesMax), make(chan *batch, batchesMax)
	for range batchesMax {
		free <- &batch{}
	}
	go func() {
		defer close(full)
		for {
			select {
			case b := <-free:
				if err := lifecycle.Contain("read rows", func() error { b.read(r, numbers); return nil }); err != nil {
					b.err = err
				}
				full <- b // has room for all
				if b.err != nil {
					return
				}
			case <-ctx.Done():
				return
			}
		}
	}()
	defer func() {
		cancel()
		for range full {
		}
	}()
	for b := range full {
		if err := ctx.Err(); err != nil {
			return err
		}
		if b.rows() > 0 {
			if err := use(b); err != nil {
				return err
			}
		}
		if errors.Is(b.err, io.EOF) {
			return nil
		}
		if b.err != nil {
			return b.err
		}
		free <- b
	}
	return ctx.Err()
}
