package ingest

import (
	"context"
	"errors"
	"fmt"
	"io"
	"unicode/utf8"

	"tributary/shared/access"
	"tributary/shared/dataset"
	"tributary/shared/job"
)

// readNamed reads a table from a source of named columns. If like is not nil, the result
// shares its columns, kinds and texts, and the source's columns may be in any order.
func (w *work) readNamed(ctx context.Context, spec *job.Spec, f files, like *table) (*table, error) {
	if len(spec.Data.Label) == 0 {
		return nil, fmt.Errorf("data.label: missing: want the name of the label's column: %w", job.ErrInvalid)
	}
	s, err := w.survey(ctx, spec, f)
	if err != nil {
		return nil, err
	}
	var t *table
	if like != nil {
		t = like.empty()
	} else if t, err = w.schema(ctx, &spec.Data, spec.Loss.Classifies(), s.tallies); err != nil {
		return nil, fmt.Errorf("%s %q: %w", f.field, access.Show(f.source), err)
	} else if t.key, err = keyOf(spec, s); err != nil {
		return nil, fmt.Errorf("%s %q: %w", f.field, access.Show(f.source), err)
	}
	if err := fits(s.rows, len(t.columns), 8, w.limit()); err != nil {
		return nil, fmt.Errorf("%s %q: %w", f.field, access.Show(f.source), err)
	}
	t.sources = s.sources
	if err := t.begin(w.space, s.rows); err != nil {
		return nil, err
	}
	err = w.each(ctx, &spec.Data, f, s, func(file *records) error { return t.fill(ctx, file, s.rows) })
	if err != nil {
		return nil, err
	}
	if t.rows != s.rows {
		return nil, fmt.Errorf("%s %q: %w", f.field, access.Show(f.source), errChanged)
	}
	if err := t.done(); err != nil {
		return nil, err
	}
	if like == nil {
		w.csv = given(&spec.Data, s.names)
	}
	w.say("%s: read %d rows of %d columns%s", f.field, t.rows, len(t.columns), ofFiles(len(s.sources)))
	return t, nil
}

// given returns the options with which files for prediction are read. A file without a
// header has the names of the training file.
func given(d *job.Data, names []string) *job.CSVOptions {
	if d.CSV.HasHeader() {
		return d.CSV
	}
	o := *d.CSV
	o.Names = names
	return &o
}

func ofFiles(n int) string {
	if n == 1 {
		return ""
	}
	return fmt.Sprintf(" from %d files", n)
}

// empty returns a table without rows that shares t's columns, kinds and texts.
func (t *table) empty() *table {
	l := t.label
	l.cells, l.class = nil, nil
	e := &table{columns: t.columns, label: l, options: t.options}
	if t.key != nil && t.key.group {
		k := *t.key
		k.cells, k.line = nil, nil
		e.key = &k
	}
	return e
}

// begin reserves the space for the cells and the labels of that many rows.
func (t *table) begin(s *space, rows int) error {
	if err := t.label.begin(s, rows); err != nil {
		return err
	}
	if err := t.key.begin(s, rows); err != nil {
		return err
	}
	width := len(t.columns)
	data, err := s.scratch(int64(rows) * int64(width) * int64(floats64))
	t.cells = &cells{kind: floats64, width: width, data: data}
	return err
}

// fill reads the rows of a surveyed file into the table, which has at most that many rows.
func (t *table) fill(ctx context.Context, file *records, rows int) error {
	raw := make([]string, len(t.columns))
	var p pace
	for i, c := range t.columns {
		if err := p.check(ctx, columnCost); err != nil {
			return err
		}
		raw[i] = c.input()
	}
	at, err := file.positions(raw) // column → cell of a record
	if err != nil {
		return err
	}
	labelAt := make([]int, len(t.label.columns))
	for k, name := range t.label.columns {
		var ok bool
		if labelAt[k], ok = file.index(name); !ok {
			return fmt.Errorf("header: no label column %q: %w", name, job.ErrInvalid)
		}
	}
	weightAt, ok := file.index(t.label.weight)
	if !ok && t.label.weight != "" {
		return fmt.Errorf("header: no weight column %q: %w", t.label.weight, job.ErrInvalid)
	}
	keyAt := 0
	if t.key != nil {
		if keyAt, ok = file.index(t.key.name); !ok {
			return fmt.Errorf("header: no column %q of %s: %w", t.key.name, t.key.field, job.ErrInvalid)
		}
	}
	row := make([]byte, 0, t.cells.size())
	for ; ; t.rows++ {
		record, err := file.next()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		if t.rows == rows {
			return errChanged
		}
		row = row[:0]
		for j := range t.columns {
			if err := p.check(ctx, 1); err != nil {
				return err
			}
			x, err := t.columns[j].parse(record[at[j]], t.options)
			if err != nil {
				return fmt.Errorf("%s: %w", file.place(at[j]), err)
			}
			row = appendCell(row, x)
		}
		if _, err := t.cells.data.Write(row); err != nil {
			return err
		}
		for k, at := range labelAt {
			if err := t.label.parse(k, record[at], t.options); err != nil {
				return fmt.Errorf("%s: %w", file.place(at), err)
			}
		}
		if t.label.weight != "" {
			if err := t.label.weigh(record[weightAt]); err != nil {
				return fmt.Errorf("%s: %w", file.place(weightAt), err)
			}
		}
		if t.key != nil {
			if err := t.key.push(record[keyAt], t.options); err != nil {
				return fmt.Errorf("%s: %w", file.place(keyAt), err)
			}
		}
	}
}

// done ends the writing of the cells.
func (t *table) done() error {
	if err := t.cells.data.done(); err != nil {
		return err
	}
	if err := t.key.done(); err != nil {
		return err
	}
	return t.label.cells.data.done()
}

var errChanged = fmt.Errorf("changed while it was being read: %w", job.ErrInvalid)

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

// parse reads a column of a row's label.
func (l *label) parse(output int, cell string, options *job.CSVOptions) error {
	var form *dataset.Form
	if output < len(l.forms) {
		form = l.forms[output]
	}
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
