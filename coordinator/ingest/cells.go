package ingest

import (
	"cmp"
	"context"
	"encoding/binary"
	"math"
)

// cells are raw values [rows, width], row by row: a number, the code of a text,
// or NaN where the value is missing.
type cells struct {
	kind  cellKind
	width int
	data  *scratch
	// A window shows some columns of wider cells.
	skip  int // bytes of a row before its columns
	pitch int // bytes from a row to the next; 0 means the row's
}

// cellKind is how a value is kept; images stay as small as they came.
type cellKind uint8

const (
	bytes8   cellKind = 1 // unsigned byte
	floats32 cellKind = 4 // float32, big-endian, as IDX has them
	floats64 cellKind = 8 // float64, little-endian
)

// size is a row's bytes.
func (c *cells) size() int { return int(c.kind) * c.width }

// stride is the bytes from a row to the next.
func (c *cells) stride() int { return cmp.Or(c.pitch, c.size()) }

// window is the columns at lo and up to hi, which are read without the others.
func (c *cells) window(lo, hi int) *cells {
	return &cells{kind: c.kind, width: hi - lo, data: c.data, skip: c.skip + lo*int(c.kind), pitch: c.stride()}
}

// appendCell appends a value as floats64 keeps it.
func appendCell(dst []byte, x float64) []byte {
	return binary.LittleEndian.AppendUint64(dst, math.Float64bits(x))
}

// decode reads a row [width].
func (c *cells) decode(dst []float64, raw []byte) {
	switch c.kind {
	case bytes8:
		for j, b := range raw {
			dst[j] = float64(b)
		}
	case floats32:
		for j := range dst {
			dst[j] = float64(math.Float32frombits(binary.BigEndian.Uint32(raw[4*j:])))
		}
	default:
		for j := range dst {
			dst[j] = math.Float64frombits(binary.LittleEndian.Uint64(raw[8*j:]))
		}
	}
}

// order is which rows are visited, in which order.
type order struct {
	rows  []int32 // nil: n rows from first on
	first int32
	n     int
}

// all is n rows from the first on.
func all(n int) order { return order{n: n} }

// these are the rows given.
func these(rows []int32) order { return order{rows: rows, n: len(rows)} }

func (o order) at(i int) int32 {
	if o.rows == nil {
		return o.first + int32(i)
	}
	return o.rows[i]
}

// part is the rows at lo and up to hi.
func (o order) part(lo, hi int) order {
	if o.rows == nil {
		return order{first: o.first + int32(lo), n: hi - lo}
	}
	return these(o.rows[lo:hi])
}

// A read of a file takes rows together that lie within readBytes, unless gapBytes
// or more between two of them are not asked for.
const (
	readBytes = 256 << 10
	gapBytes  = 4 << 10
)

// cursor visits rows. In ascending order a file is read from front to back, and
// no more of it than rows are asked for.
type cursor struct {
	cells  *cells
	order  order
	next   int // the place in order
	until  int // rows up to here are in view
	origin int64
	view   []byte
	buffer []byte
	values []float64
}

func (c *cells) cursor(o order) *cursor {
	return &cursor{cells: c, order: o, values: make([]float64, c.width)}
}

// row returns the next row's values [width], which are overwritten by the call after and
// may be changed. It must not be called more often than there are rows.
func (u *cursor) row() ([]float64, error) {
	raw, err := u.raw()
	if err != nil {
		return nil, err
	}
	u.cells.decode(u.values, raw)
	return u.values, nil
}

// raw returns the next row's bytes.
func (u *cursor) raw() ([]byte, error) {
	if u.next == u.until {
		if err := u.read(); err != nil {
			return nil, err
		}
	}
	at := u.place(u.order.at(u.next)) - u.origin
	size := int64(u.cells.size())
	u.next++
	return u.view[at : at+size : at+size], nil
}

// place is where a row begins.
func (u *cursor) place(row int32) int64 {
	return int64(row)*int64(u.cells.stride()) + int64(u.cells.skip)
}

// read brings the next rows into view.
func (u *cursor) read() error {
	size := int64(u.cells.size())
	last := u.order.at(u.next)
	u.origin = u.place(last)
	end := u.origin + size
	for u.until = u.next + 1; u.until < u.order.n; u.until++ {
		r := u.order.at(u.until)
		at := u.place(r)
		if r <= last || at-end >= gapBytes || at+size-u.origin > readBytes {
			break
		}
		last, end = r, at+size
	}
	view, err := u.cells.data.view(u.buffer, u.origin, int(end-u.origin))
	if u.view = view; u.cells.data.file != nil {
		u.buffer = view
	}
	return err
}

// patience is how many cells are visited between two looks at the context.
const patience = 1 << 16

// columnCost is the work on a column itself, in cells.
const columnCost = 8

// pace looks at a context as often as work is done.
type pace struct{ left int }

// look notes so many cells that are visited, and reports whether ctx has ended.
func (p *pace) look(ctx context.Context, cells int) error {
	if p.left -= cells; p.left > 0 {
		return nil
	}
	p.left = patience
	return ctx.Err()
}

// each visits rows; i is the place in the order.
func (c *cells) each(ctx context.Context, o order, visit func(i int, row []float64)) error {
	u := c.cursor(o)
	var p pace
	for i := range o.n {
		if err := p.look(ctx, c.width); err != nil {
			return err
		}
		row, err := u.row()
		if err != nil {
			return err
		}
		visit(i, row)
	}
	return nil
}
