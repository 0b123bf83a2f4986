package ingest

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"

	"tributary/shared/access"
	"tributary/shared/dataset"
	"tributary/shared/dataset/tabular"
	"tributary/shared/hint"
	"tributary/shared/job"
)

// readNamed reads a table from a source of named columns. If like is not nil, the result
// shares its columns, kinds and texts, and the source's columns may be in any order.
func (w *work) readNamed(ctx context.Context, spec *job.Spec, f files, like *table) (*table, error) {
	if spec.Data.Label == "" {
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
	}
	if err := fits(s.rows, len(t.columns), 8, w.limit()); err != nil {
		return nil, fmt.Errorf("%s %q: %w", f.field, access.Show(f.source), err)
	}
	if err := t.begin(w.space, s.rows); err != nil {
		return nil, err
	}
	err = w.withAll(ctx, f.field, s.sources, func(k int, content *tabular.Source) error {
		file, err := w.open(&spec.Data, content, s, k)
		if err != nil {
			return err
		}
		return t.fill(ctx, file, s.rows)
	})
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
	t := &table{options: d.CSV}
	var asText, forms notes
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
		case drop[y.name] || d.Columns[y.name].Type == job.DropColumn:
		default:
			if why, ok := y.index(); ok {
				w.say("column %d of the header %s and is left out (as %q, data.columns can keep it)", i+1, why, y.name)
				continue
			}
			columns, err := y.columns()
			if err != nil {
				return nil, err
			}
			for _, c := range columns {
				if c.kind == dataset.Categorical {
					c.dict = newDictionary(&w.texts)
				}
				t.columns = append(t.columns, c)
			}
			y.noteSurprises(columns[0], &asText, &forms)
		}
	}
	if err := distinctNames(t.columns); err != nil {
		return nil, err
	}
	if len(t.columns) == 0 {
		return nil, fmt.Errorf("no columns besides the label: want at least one: %w", job.ErrInvalid)
	}
	t.label.weight = d.Weight
	w.sayAll(&asText, "with cells that look like numbers are read as text")
	w.sayAll(&forms, "are read as numbers that are not plainly written")
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
	header := headerOf(tallies)
	for _, name := range slices.Sorted(maps.Keys(d.Columns)) {
		if _, ok := header[name]; !ok {
			return nil, fmt.Errorf("data.columns: no column %.80q in the header %s%s: %w", name, headerList(tallies), hint.For(name, names(tallies)), job.ErrInvalid)
		}
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
// A label of numbers may be written like any column of numbers.
func (w *work) labelOf(y *tally, classes bool) (*label, error) {
	l := &label{name: y.name, classes: classes, outputs: 1, numeric: y.texts+y.odd == 0}
	if y.kind == tabular.Nested {
		return nil, fmt.Errorf("label %q: its cells are lists or objects: want numbers or classes: %w", y.name, job.ErrInvalid)
	}
	if y.numbers+y.texts+y.nonFinites == 0 {
		return nil, fmt.Errorf("label %q: missing in every row: %w", y.name, job.ErrInvalid)
	}
	if classes {
		l.dict = newDictionary(&w.texts)
		return l, w.classesOf(y, l)
	}
	form, ok := y.decide(y.texts-y.naTexts, y.nonFinites-y.naNonFinites)
	form.NA = y.naTexts+y.naNonFinites > 0
	if y.given != nil && y.given.Type == job.NumberColumn {
		var err error
		if form, err = y.mustNumber(); err != nil {
			return nil, err
		}
		ok = true
	}
	switch other := preferred(y.stranger, y.text); {
	case y.nonFinites > y.naNonFinites && y.texts == 0:
		return nil, notFinite(y.name, y.infinite)
	case !ok && y.texts > 0:
		return nil, fmt.Errorf("%s: label %q: text %s: the loss wants numbers (for classes use %s or %s): %w",
			other.at, y.name, other.text, job.SoftmaxCrossEntropy, job.SigmoidCrossEntropy, job.ErrInvalid)
	case y.nonFinites > y.naNonFinites:
		return nil, notFinite(y.name, y.infinite)
	case y.identifiers > 0:
		w.say("label %q is read as numbers, in which %s in %s loses a leading zero or digits that a 64-bit float does not hold",
			y.name, y.identifier.text, y.identifier.at)
	}
	var forms notes
	c := column{name: y.name}
	if c.numeric(form); c.thousands {
		c.form, c.thousands = &form, false
	}
	l.form = c.form
	y.noteForm(c, &forms)
	w.sayAll(&forms, "")
	return l, nil
}

// classesOf decides whether classes are numbers or texts.
func (w *work) classesOf(y *tally, l *label) error {
	if y.given != nil && y.given.Type == job.CategoryColumn {
		l.numeric = false
		return nil
	}
	if texts := y.texts - y.naTexts; texts == 0 && y.numbers > 0 && y.naTexts+y.naNonFinites > 0 && y.nonFinites == y.naNonFinites {
		l.form, l.numeric = &dataset.Form{NA: true}, y.odd == 0
		w.say("label %q: words like %s in %s are missing values", y.name, preferred(y.na, y.text).text, preferred(y.na, y.text).at)
	}
	switch {
	case l.form == nil && y.nonFinites > 0 && y.texts == 0:
		return notFinite(y.name, preferred(y.infinite, y.nonFinite))
	case (l.form != nil || y.texts == 0) && y.odd > 0:
		w.sayOdd(y.name, fmt.Sprintf("%s in %s", y.oddly.text, y.oddly.at))
	}
	return nil
}

// sayOdd reports why classes that are numbers are read as texts.
func (w *work) sayOdd(label, why string) {
	w.say("label %q: each different text is a class of its own, because of %s: read as numbers, different texts could become one class", label, why)
}

// headerOf returns the set of the columns' names.
func headerOf(tallies []tally) map[string]struct{} {
	set := make(map[string]struct{}, len(tallies))
	for i := range tallies {
		set[tallies[i].name] = struct{}{}
	}
	return set
}

// distinctNames refuses a part of a date that has the name of another column.
func distinctNames(columns []column) error {
	seen := make(map[string]struct{}, len(columns))
	for _, c := range columns {
		if _, twice := seen[c.name]; twice {
			return fmt.Errorf("data.columns: two columns of the name %q: rename one in the file: %w", c.name, job.ErrInvalid)
		}
		seen[c.name] = struct{}{}
	}
	return nil
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
	return &table{columns: t.columns, label: l, options: t.options}
}

// begin reserves the space for the cells and the labels of that many rows.
func (t *table) begin(s *space, rows int) error {
	if err := t.label.begin(s, rows); err != nil {
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
	labelAt, ok := file.index(t.label.name)
	if !ok {
		return fmt.Errorf("header: no label column %q: %w", t.label.name, job.ErrInvalid)
	}
	weightAt, ok := file.index(t.label.weight)
	if !ok && t.label.weight != "" {
		return fmt.Errorf("header: no weight column %q: %w", t.label.weight, job.ErrInvalid)
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
		if err := t.label.parse(record[labelAt], t.options); err != nil {
			return fmt.Errorf("%s: %w", file.place(labelAt), err)
		}
		if t.label.weight != "" {
			if err := t.label.weigh(record[weightAt]); err != nil {
				return fmt.Errorf("%s: %w", file.place(weightAt), err)
			}
		}
	}
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
func (c *column) parse(cell string, options *job.CSVOptions) (float64, error) {
	if dataset.IsMissing(cell, options) || c.form.Missing(cell) {
		return missing, nil
	}
	if c.kind == dataset.Categorical {
		if c.form != nil && c.form.Part != "" {
			cell, _ = c.form.Category(cell)
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

// parse reads a row's label.
func (l *label) parse(cell string, options *job.CSVOptions) error {
	if dataset.IsMissing(cell, options) || l.form.Missing(cell) {
		return l.push(missing)
	}
	x, kind := l.form.Number(cell)
	if l.classes && !(l.numeric && kind == dataset.Finite && dataset.IsPlain(cell)) {
		return l.pushText(cell)
	}
	if kind != dataset.Finite {
		return fmt.Errorf("label %q: %.80q: want a finite number: %w", l.name, cell, job.ErrInvalid)
	}
	return l.push(x)
}
