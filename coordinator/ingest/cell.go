package ingest

import (
	"context"
	"fmt"
	"slices"
	"unicode/utf8"

	"tributary/shared/dataset"
	"tributary/shared/job"
)

// fill reads the rows of a surveyed file into the table, which has at most that many rows.
func (t *table) fill(ctx context.Context, file *records, rows int) error {
	at, err := t.places(ctx, file)
	if err != nil {
		return err
	}
	width := len(t.columns)
	columns, raw := make([][]float64, width), []byte(nil)
	return file.batches(ctx, func(b *batch) error {
		if t.rows += b.rows(); t.rows > rows {
			return errChanged
		}
		err := lanes(width+2, func(lane int) (int, error) {
			switch lane - width {
			case 0:
				return t.label.fill(b, at.label, at.weight, t.options)
			case 1:
				return t.key.fill(b, at.key, t.options)
			default:
				columns[lane] = slices.Grow(columns[lane][:0], b.rows())[:b.rows()]
				return t.columns[lane].fill(columns[lane], b, at.columns[lane], t.options)
			}
		})
		if err != nil {
			return err
		}
		raw = raw[:0]
		for i := range b.rows() {
			for _, column := range columns {
				raw = appendCell(raw, column[i])
			}
		}
		_, err = t.cells.data.Write(raw)
		return err
	})
}

// tablePlaces says which cells of a record a table has.
type tablePlaces struct {
	columns, label []int
	weight, key    int
}

// places finds the columns of a table in a file.
func (t *table) places(ctx context.Context, file *records) (at tablePlaces, err error) {
	names := make([]string, len(t.columns))
	var p pace
	for i, c := range t.columns {
		if err := p.check(ctx, columnCost); err != nil {
			return at, err
		}
		names[i] = c.input()
	}
	if at.columns, err = file.positions(names); err != nil {
		return at, err
	}
	at.label = make([]int, len(t.label.columns))
	for k, name := range t.label.columns {
		var ok bool
		if at.label[k], ok = file.index(name); !ok {
			return at, fmt.Errorf("header: no label column %q: %w", name, job.ErrInvalid)
		}
	}
	var ok bool
	if at.weight, ok = file.index(t.label.weight); !ok && t.label.weight != "" {
		return at, fmt.Errorf("header: no weight column %q: %w", t.label.weight, job.ErrInvalid)
	}
	if t.key != nil {
		if at.key, ok = file.index(t.key.name); !ok {
			return at, fmt.Errorf("header: no column %q of %s: %w", t.key.name, t.key.field, job.ErrInvalid)
		}
	}
	return at, nil
}

// fill reads a column of a batch. It returns the row of an error.
func (c *column) fill(dst []float64, b *batch, at int, options *job.CSVOptions) (row int, err error) {
	plain := c.kind == dataset.Numeric && plainly(c.form, options)
	for i := range dst {
		if x, ok := b.value(i, at); ok && plain {
			dst[i] = x
			continue
		}
		if dst[i], err = c.parse(b.text(i, at), options); err != nil {
			return i, fmt.Errorf("%s: %w", b.place(i, at), err)
		}
	}
	return 0, nil
}

// fill reads the labels and the weights of a batch. It returns the row of an error.
func (l *label) fill(b *batch, at []int, weightAt int, options *job.CSVOptions) (row int, err error) {
	for i := range b.rows() {
		for k, at := range at {
			if x, ok := b.value(i, at); ok && !l.classes && plainly(l.form(k), options) {
				if err := l.push(x); err != nil {
					return i, err
				}
				continue
			}
			if err := l.parse(k, b.text(i, at), options); err != nil {
				return i, fmt.Errorf("%s: %w", b.place(i, at), err)
			}
		}
		if l.weight != "" {
			if err := l.weigh(b.text(i, weightAt)); err != nil {
				return i, fmt.Errorf("%s: %w", b.place(i, weightAt), err)
			}
		}
	}
	return 0, nil
}

// fill reads the keys of a batch. It returns the row of an error.
func (k *keyColumn) fill(b *batch, at int, options *job.CSVOptions) (row int, err error) {
	if k == nil {
		return 0, nil
	}
	for i := range b.rows() {
		if err := k.push(b.text(i, at), options); err != nil {
			return i, fmt.Errorf("%s: %w", b.place(i, at), err)
		}
	}
	return 0, nil
}

// parse reads a cell: a number, the code of its text, or missing.
func (c *column) parse(cell string, options *job.CSVOptions) (float64, error) {
	if dataset.IsMissing(cell, options) || c.form.Missing(cell) {
		return missing, nil
	}
	if c.kind == dataset.Categorical {
		if c.form != nil && c.form.Part != "" {
			cell, _ = c.form.Category(cell)
		}
		if c.hash > 0 {
			if !utf8.ValidString(cell) {
				return 0, fmt.Errorf("column %q: %w", c.name, notUTF8(cell))
			}
			return float64(dataset.HashText(c.name, cell)), nil
		}
		code, err := c.dict.code(cell)
		if err != nil {
			return 0, fmt.Errorf("column %q: %w", c.name, err)
		}
		return float64(code), nil
	}
	read := dataset.Column{Thousands: c.thousands, Form: c.form}
	switch x, kind := read.Read(cell); kind {
	case dataset.Finite:
		return x, nil
	case dataset.NonFinite:
		return 0, fmt.Errorf("column %q: %.80q is not a finite number: %w", c.name, cell, job.ErrInvalid)
	default:
		return 0, fmt.Errorf("column %q: text %.80q in a numeric column: %w", c.name, cell, job.ErrInvalid)
	}
}

// form returns how the cells of an output are read, or nil.
func (l *label) form(output int) *dataset.Form {
	if output < len(l.forms) {
		return l.forms[output]
	}
	return nil
}

// parse reads a column of a row's label.
func (l *label) parse(output int, cell string, options *job.CSVOptions) error {
	form := l.form(output)
	if dataset.IsMissing(cell, options) || form.Missing(cell) {
		return l.push(missing)
	}
	x, kind := form.Number(cell)
	if l.classes && !(l.numeric && kind == dataset.Finite && dataset.IsPlain(cell)) {
		return l.pushText(cell)
	}
	if kind != dataset.Finite {
		return fmt.Errorf("label %q: %.80q: want a finite number: %w", l.column(output), cell, job.ErrInvalid)
	}
	return l.push(x)
}
