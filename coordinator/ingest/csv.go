package ingest

import (
	"context"
	"fmt"

	"tributary/shared/access"
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
