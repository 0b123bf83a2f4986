package ingest

import (
	"context"
	"fmt"
	"maps"
	"slices"

	"tributary/shared/dataset"
	"tributary/shared/dataset/tabular"
	"tributary/shared/hint"
	"tributary/shared/job"
)

// schema decides the columns of a table from a survey of the training source.
func (w *work) schema(ctx context.Context, d *job.Data, classes bool, tallies []tally) (*table, error) {
	drop, err := dropped(d, tallies)
	if err != nil {
		return nil, err
	}
	apart := map[string]bool{} // the columns that are no features
	for _, own := range special(d) {
		if drop[own.name] {
			return nil, fmt.Errorf("data.drop: %q is the %s: %w", own.name, own.what, job.ErrInvalid)
		}
		apart[own.name] = true
	}
	t := &table{options: d.CSV}
	if t.label, err = w.labelOf(d.Label, tallies, classes); err != nil {
		return nil, err
	}
	var asText, forms notes
	var p pace
	for i := range tallies {
		if err := p.check(ctx, columnCost); err != nil {
			return nil, err
		}
		y := &tallies[i]
		switch {
		case apart[y.name], drop[y.name], d.Columns[y.name].Type == job.DropColumn:
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
				if c.kind == dataset.Categorical && c.hash == 0 {
					c.dict = newDictionary(w.texts)
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

// special lists the columns that are no features.
func special(d *job.Data) (columns []named) {
	for _, name := range d.Label {
		columns = append(columns, named{"label", name})
	}
	if d.Weight != "" {
		columns = append(columns, named{"weight", d.Weight})
	}
	for _, c := range []named{{"split.group", d.Split.Group}, {"split.time", d.Split.Time}} {
		if _, feature := d.Columns[c.name]; c.name != "" && !feature {
			columns = append(columns, c)
		}
	}
	return columns
}

// dropped returns the columns to omit. It refuses a label, a weight, or a column to omit,
// that does not exist.
func dropped(d *job.Data, tallies []tally) (map[string]bool, error) {
	drop, absent := make(map[string]bool, len(d.Drop)), map[string]bool{}
	for _, name := range d.Drop {
		drop[name], absent[name] = true, true
	}
	own := special(d)
	for _, c := range own {
		absent[c.name] = true
	}
	for i := range tallies {
		delete(absent, tallies[i].name)
	}
	header := headerOf(tallies)
	for _, name := range slices.Sorted(maps.Keys(d.Columns)) {
		if _, ok := header[name]; !ok {
			return nil, fmt.Errorf("data.columns: no column %.80q in the header %s%s: %w", name, headerList(tallies), hint.For(name, names(tallies)), job.ErrInvalid)
		}
	}
	for _, c := range own {
		if absent[c.name] {
			return nil, fmt.Errorf("data.%s: no column %q in the header %s%s: %w", c.what, c.name, headerList(tallies), hint.For(c.name, names(tallies)), job.ErrInvalid)
		}
	}
	for _, name := range d.Drop {
		if absent[name] {
			return nil, fmt.Errorf("data.drop: no column %q in the header %s%s: %w", name, headerList(tallies), hint.For(name, names(tallies)), job.ErrInvalid)
		}
	}
	return drop, nil
}

// labelOf decides the kind of the label's columns. There are several only for numbers, each
// of which may be written in its own way, like any column of numbers. Classes are numbers,
// sorted by value, if each is written in the plain form. Otherwise they are texts, so that no
// two become one.
func (w *work) labelOf(columns job.Columns, tallies []tally, classes bool) (label, error) {
	l := label{name: columns.String(), columns: columns, classes: classes, outputs: len(columns), forms: make([]*dataset.Form, len(columns))}
	if classes && l.outputs > 1 {
		return l, fmt.Errorf("data.label: %d columns: with a loss of classes want 1: %w", l.outputs, job.ErrInvalid)
	}
	at := make(map[string]*tally, len(tallies))
	for i := range tallies {
		at[tallies[i].name] = &tallies[i]
	}
	var forms notes
	for k, name := range columns {
		y := at[name]
		if y.kind == tabular.Nested {
			return l, fmt.Errorf("label %q: its cells are lists or objects: want numbers or classes: %w", name, job.ErrInvalid)
		}
		if y.numbers+y.texts+y.nonFinites == 0 {
			return l, fmt.Errorf("label %q: missing in every row: %w", name, job.ErrInvalid)
		}
		if classes {
			l.dict, l.numeric = newDictionary(w.texts), y.texts+y.odd == 0
			return l, w.classesOf(y, &l)
		}
		var err error
		if l.forms[k], err = w.numbersOf(y, &forms); err != nil {
			return l, err
		}
	}
	w.sayAll(&forms, "are labels and read as numbers that are not plainly written")
	return l, nil
}

// numbersOf returns how the numbers of a column of the label are written, or nil if plainly.
func (w *work) numbersOf(y *tally, forms *notes) (*dataset.Form, error) {
	if y.given != nil && y.given.Type == job.CategoryColumn {
		return nil, fmt.Errorf("label %q: data.columns says %s: the loss wants numbers (for classes use %s or %s): %w",
			y.name, job.CategoryColumn, job.SoftmaxCrossEntropy, job.SigmoidCrossEntropy, job.ErrInvalid)
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
	c := column{name: y.name}
	if c.numeric(form); c.thousands {
		c.form, c.thousands = &form, false
	}
	y.noteForm(c, forms)
	return c.form, nil
}

// classesOf decides whether classes are numbers or texts.
func (w *work) classesOf(y *tally, l *label) error {
	if y.given != nil && y.given.Type == job.CategoryColumn {
		l.numeric = false
		return nil
	}
	if texts := y.texts - y.naTexts; texts == 0 && y.numbers > 0 && y.naTexts+y.naNonFinites > 0 && y.nonFinites == y.naNonFinites {
		l.forms[0], l.numeric = &dataset.Form{NA: true}, y.odd == 0
		w.say("label %q: words like %s in %s are missing values", y.name, preferred(y.na, y.text).text, preferred(y.na, y.text).at)
	}
	switch {
	case l.forms[0] == nil && y.nonFinites > 0 && y.texts == 0:
		return notFinite(y.name, preferred(y.infinite, y.nonFinite))
	case (l.forms[0] != nil || y.texts == 0) && y.odd > 0:
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
