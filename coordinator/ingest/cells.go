package ingest

import (
	"cmp"
	"context"
	"encoding/binary"
	"math"
)

// cells holds raw values [rows, width], row by row. A value is a number, the code of a
// text, or NaN if it is missing.
type cells struct {
	kind  cellKind
	width int
	data  *scratch
	// A window shows some columns of wider cells.
	skip  int // bytes of a row before its columns
	pitch int // bytes from one row to the next; 0 means size
}

// cellKind is the storage format of a value; images keep the format of their source.
type cellKind uint8

const (
	bytes8   cellKind = 1 // unsigned byte
	floats32 cellKind = 4 // float32, big-endian, as IDX has them
	floats64 cellKind = 8 // float64, little-endian
)

// size returns the bytes of a row.
func (c *cells) size() int { return int(c.kind) * c.width }

// stride returns the bytes from one row to the next.
func (c *cells) stride() int { return cmp.Or(c.pitch, c.size()) }

// window returns the columns from lo up to hi, which can be read without the others.
func (c *cells) window(lo, hi int) *cells {
	return &cells{kind: c.kind, width: hi - lo, data: c.data, skip: c.skip + lo*int(c.kind), pitch: c.stride()}
}

// appendCell appends a value in the format of floats64.
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

// order is a sequence of rows to visit.
type order struct {
	rows  []int32 // nil: n rows from first on
	first int32
	n     int
}

// all returns the order of n rows from the first on.
func all(n int) order { return order{n: n} }

// these returns the order of the given rows.
func these(rows []int32) order { return order{rows: rows, n: len(rows)} }

func (o order) at(i int) int32 {
	if o.rows == nil {
		return o.first + int32(i)
	}
	return o.rows[i]
}

// slice returns the part of the order from lo up to hi.
func (o order) slice(lo, hi int) order {
	if o.rows == nil {
		return order{first: o.first + int32(lo), n: hi - lo}
	}
	return these(o.rows[lo:hi])
}

// One read of a file covers at most readBytes. It ends before a gap of gapBytes or more
// without requested rows.
const (
	readBytes = 256 << 10
	gapBytes  = 4 << 10
)

// cursor visits rows. If the order is ascending, it reads a file from front to back, and
// not more of it than the rows need.
type cursor struct {
	cells  *cells
	order  order
	next   int // index in order
	until  int // end in order of the rows in view
	origin int64
	view   []byte
	buffer []byte
	values []float64
}

func (c *cells) cursor(o order) *cursor {
	return &cursor{cells: c, order: o, values: make([]float64, c.width)}
}

// row returns the next row's values [width]. The caller may change them; the next call
// overwrites them. It must not be called more often than there are rows.
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

// place returns the offset at which a row begins, in bytes.
func (u *cursor) place(row int32) int64 {
	return int64(row)*int64(u.cells.stride()) + int64(u.cells.skip)
}

// read reads the next rows into view.
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

// patience is the number of cells visited between two checks of the context.
const patience = 1 << 16

// columnCost is the work for a column itself, in cells.
const columnCost = 8

// pace limits how often work checks a context.
type pace struct{ left int }

// check counts visited cells, checks ctx if it is time, and reports whether ctx has ended.
func (p *pace) check(ctx context.Context, cells int) error {
	if p.left -= cells; p.left > 0 {
		return nil
	}
	p.left = patience
	return ctx.Err()
}

// each visits rows; i is the index in the order.
func (c *cells) each(ctx context.Context, o order, visit func(i int, row []float64)) error {
	u := c.cursor(o)
	var p pace
	for i := range o.n {
		if err := p.check(ctx, c.width); err != nil {
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
