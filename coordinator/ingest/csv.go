package ingest

import (
	"context"
	"errors"
	"fmt"
	"io"

	"tributary/shared/dataset"
	"tributary/shared/dataset/tabular"
	"tributary/shared/hint"
	"tributary/shared/job"
)

// readCSV reads a table from a CSV source. If like is not nil, the result shares its
// columns, kinds and texts, and the source's columns may be in any order.
func (w *work) readCSV(ctx context.Context, spec *job.Spec, f files, like *table) (*table, error) {
	if spec.Data.Label == "" {
		return nil, fmt.Errorf("data.label: missing: want the name of the label's column: %w", job.ErrInvalid)
	}
	var t *table
	var rows int
	err := w.with(ctx, f.field, f.source, func(content *tabular.Source) error {
		n, tallies, err := survey(ctx, content, spec.Data.Label)
		if err != nil {
			return err
		}
		rows = n
		if like != nil {
			t = like.empty()
			return nil
		}
		t, err = w.schema(ctx, &spec.Data, spec.Loss.Classifies(), tallies)
		return err
	})
	if err != nil {
		return nil, err
	}
	err = w.with(ctx, f.field, f.source, func(content *tabular.Source) error {
		if err := fits(rows, len(t.columns), 8, w.limit()); err != nil {
			return err
		}
		return t.fill(ctx, w.space, content, rows)
	})
	if err != nil {
		return nil, err
	}
	w.say("%s: read %d rows of %d columns", f.field, t.rows, len(t.columns))
	return t, nil
}

// schema decides the columns of a table from a survey of the training source.
func (w *work) schema(ctx context.Context, d *job.Data, classes bool, tallies []tally) (*table, error) {
	drop, err := dropped(d, tallies)
	if err != nil {
		return nil, err
	}
	for _, own := range []named{{"label", d.Label}, {"weight", d.Weight}} {
		if own.name != "" && drop[own.name] {
			return nil, fmt.Errorf("data.drop: %q is the %s: %w", own.name, own.what, job.ErrInvalid)
		}
	}
	t := &table{}
	var asText, thousands notes
	var p pace
	for i := range tallies {
		if err := p.check(ctx, columnCost); err != nil {
			return nil, err
		}
		y := &tallies[i]
		switch {
		case y.name == d.Label:
			l, err := w.labelOf(y, classes)
			if err != nil {
				return nil, err
			}
			t.label = *l
		case d.Weight != "" && y.name == d.Weight:
		case !drop[y.name]:
			c, err := y.column()
			if err != nil {
				return nil, err
			}
			if c.kind == dataset.Categorical {
				c.dict = newDictionary(&w.texts)
			}
			y.noteSurprises(c, &asText, &thousands)
			t.columns = append(t.columns, c)
		}
	}
	if len(t.columns) == 0 {
		return nil, fmt.Errorf("no columns besides the label: want at least one: %w", job.ErrInvalid)
	}
	t.label.weight = d.Weight
	w.sayAll(&asText, "with cells that look like numbers are read as text")
	w.sayAll(&thousands, "are read as numbers with commas between thousands")
	return t, nil
}

// named is a column with a purpose of its own.
type named struct{ what, name string }

// dropped returns the columns to omit. It refuses a label, a weight, or a column to omit,
// that does not exist.
func dropped(d *job.Data, tallies []tally) (map[string]bool, error) {
	drop, absent := make(map[string]bool, len(d.Drop)), map[string]bool{d.Label: true}
	for _, name := range d.Drop {
		drop[name], absent[name] = true, true
	}
	absent[d.Weight] = d.Weight != ""
	for i := range tallies {
		delete(absent, tallies[i].name)
	}
	for _, own := range []named{{"label", d.Label}, {"weight", d.Weight}} {
		if absent[own.name] {
			return nil, fmt.Errorf("data.%s: no column %q in the header %s%s: %w", own.what, own.name, headerList(tallies), hint.For(own.name, names(tallies)), job.ErrInvalid)
		}
	}
	for _, name := range d.Drop {
		if absent[name] {
			return nil, fmt.Errorf("data.drop: no column %q in the header %s%s: %w", name, headerList(tallies), hint.For(name, names(tallies)), job.ErrInvalid)
		}
	}
	return drop, nil
}

// labelOf decides the kind of the label column. Classes are numbers, sorted by value, if
// each is written in the plain form. Otherwise they are texts, so that no two become one.
func (w *work) labelOf(y *tally, classes bool) (*label, error) {
	l := &label{name: y.name, classes: classes, outputs: 1, numeric: y.texts+y.odd == 0}
	switch {
	case y.numbers+y.texts+y.nonFinites == 0:
		return nil, fmt.Errorf("label %q: missing in every row: %w", y.name, job.ErrInvalid)
	case y.nonFinites > 0 && (y.texts == 0 || !classes):
		return nil, notFinite(y.name, y.nonFinite)
	case y.texts > 0 && !classes:
		return nil, fmt.Errorf("line %d: label %q: text %s: the loss wants numbers (for classes use %s or %s): %w",
			y.text.line, y.name, y.text.text, job.SoftmaxCrossEntropy, job.SigmoidCrossEntropy, job.ErrInvalid)
	case y.texts == 0 && y.odd > 0 && classes:
		w.sayOdd(y.name, fmt.Sprintf("%s in line %d", y.oddly.text, y.oddly.line))
	case y.identifiers > 0 && !classes:
		w.say("label %q is read as numbers, in which %s in line %d loses a leading zero or digits that a 64-bit float does not hold",
			y.name, y.identifier.text, y.identifier.line)
	}
	if classes {
		l.dict = newDictionary(&w.texts)
	}
	return l, nil
}

// sayOdd reports why classes that are numbers are read as texts.
func (w *work) sayOdd(label, why string) {
	w.say("label %q: each different text is a class of its own, because of %s: read as numbers, different texts could become one class", label, why)
}

func names(tallies []tally) []string {
	out := make([]string, len(tallies))
	for i, t := range tallies {
		out[i] = t.name
	}
	return out
}

func headerList(tallies []tally) string {
	const shown = 12
	var names []string
	for _, t := range tallies[:min(shown, len(tallies))] {
		names = append(names, t.name)
	}
	if more := len(tallies) - len(names); more > 0 {
		return fmt.Sprintf("%q and %d more", names, more)
	}
	return fmt.Sprintf("%q", names)
}

// empty returns a table without rows that shares t's columns, kinds and texts.
func (t *table) empty() *table {
	l := t.label
	l.cells, l.class = nil, nil
	return &table{columns: t.columns, label: l}
}

// fill reads the rows of a surveyed source into the table.
func (t *table) fill(ctx context.Context, s *space, content *tabular.Source, rows int) error {
	file, err := tabular.OpenCSV(content)
	if err != nil {
		return err
	}
	at := make([]int, len(t.columns)) // column → cell of a record
	var p pace
	for i, c := range t.columns {
		if err := p.check(ctx, columnCost); err != nil {
			return err
		}
		cell, ok := file.Index(c.name)
		if !ok {
			return fmt.Errorf("header: no column %q, which the training source has: %w", c.name, job.ErrInvalid)
		}
		at[i] = cell
	}
	labelAt, ok := file.Index(t.label.name)
	if !ok {
		return fmt.Errorf("header: no label column %q: %w", t.label.name, job.ErrInvalid)
	}
	weightAt, ok := file.Index(t.label.weight)
	if !ok && t.label.weight != "" {
		return fmt.Errorf("header: no weight column %q: %w", t.label.weight, job.ErrInvalid)
	}
	if err := t.label.begin(s, rows); err != nil {
		return err
	}
	width := len(t.columns)
	data, err := s.scratch(int64(rows) * int64(width) * int64(floats64))
	if err != nil {
		return err
	}
	t.cells = &cells{kind: floats64, width: width, data: data}
	row := make([]byte, 0, t.cells.size())
	for ; ; t.rows++ {
		record, err := file.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return err
		}
		if t.rows == rows {
			return errChanged
		}
		line := func(cell int) int { return file.Line(cell) }
		row = row[:0]
		for j := range t.columns {
			if err := p.check(ctx, 1); err != nil {
				return err
			}
			x, err := t.columns[j].parse(record[at[j]])
			if err != nil {
				return fmt.Errorf("line %d: %w", line(at[j]), err)
			}
			row = appendCell(row, x)
		}
		if _, err := data.Write(row); err != nil {
			return err
		}
		if err := t.label.parse(record[labelAt]); err != nil {
			return fmt.Errorf("line %d: %w", line(labelAt), err)
		}
		if t.label.weight != "" {
			if err := t.label.weigh(record[weightAt]); err != nil {
				return fmt.Errorf("line %d: %w", line(weightAt), err)
			}
		}
	}
	if t.rows != rows {
		return errChanged
	}
	return t.done()
}

// done ends the writing of the cells.
func (t *table) done() error {
	if err := t.cells.data.done(); err != nil {
		return err
	}
	return t.label.cells.data.done()
}

var errChanged = fmt.Errorf("changed while it was being read: %w", job.ErrInvalid)

// parse reads a cell: a number, the code of its text, or missing.
func (c *column) parse(cell string) (float64, error) {
	if dataset.MissingCell(cell) {
		return missing, nil
	}
	if c.kind == dataset.Categorical {
		code, err := c.dict.code(cell)
		if err != nil {
			return 0, fmt.Errorf("column %q: %w", c.name, err)
		}
		return float64(code), nil
	}
	switch x, kind := dataset.ParseCell(cell, c.thousands); kind {
	case dataset.Finite:
		return x, nil
	case dataset.NonFinite:
		return 0, fmt.Errorf("column %q: %.80q is not a finite number: %w", c.name, cell, job.ErrInvalid)
	default:
		return 0, fmt.Errorf("column %q: text %.80q in a numeric column: %w", c.name, cell, job.ErrInvalid)
	}
}

// parse reads a row's label.
func (l *label) parse(cell string) error {
	if dataset.MissingCell(cell) {
		return l.push(missing)
	}
	x, kind := dataset.ParseNumber(cell)
	if l.classes && !(l.numeric && kind == dataset.Finite && dataset.IsPlain(cell)) {
		return l.pushText(cell)
	}
	if kind != dataset.Finite {
		return fmt.Errorf("label %q: %.80q: want a finite number: %w", l.name, cell, job.ErrInvalid)
	}
	return l.push(x)
}
