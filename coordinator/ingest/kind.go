package ingest

import (
	"fmt"

	"tributary/shared/dataset"
	"tributary/shared/dataset/tabular"
	"tributary/shared/job"
)

// A column with at least manyRows rows is numeric if at least mostlyNumbers of its cells
// are numbers. Its texts then count as mistakes.
const (
	mostlyNumbers = 0.99
	manyRows      = 20
)

// columns decides what the column becomes, or returns what is wrong with it. A date
// becomes a column for each of its parts; any other column becomes one.
func (t *tally) columns() ([]column, error) {
	if t.kind == tabular.Nested {
		return nil, fmt.Errorf("column %q: its cells are lists, objects or of a type that is not supported: want single values: leave it out with data.drop, or write its elements into columns of their own: %w", t.name, job.ErrInvalid)
	}
	if t.numbers+t.texts+t.nonFinites == 0 {
		return nil, fmt.Errorf("column %q: every cell is missing: leave it out with data.drop: %w", t.name, job.ErrInvalid)
	}
	c := column{name: t.name, kind: dataset.Categorical}
	switch {
	case t.given == nil && t.kind == tabular.Text:
	case t.given == nil:
		form, numeric, err := t.number()
		if err != nil {
			return nil, err
		}
		if numeric {
			c.numeric(form)
		}
	case t.given.Type == job.NumberColumn:
		form, err := t.mustNumber()
		if err != nil {
			return nil, err
		}
		c.numeric(form)
	case t.given.Type == job.BooleanColumn:
		if t.strange > 0 {
			return nil, fmt.Errorf("%s: column %q: %s: data.columns says boolean, want one of %s: %w", t.stranger.at, t.name, t.stranger.text, dataset.YesOrNo, job.ErrInvalid)
		}
		c.numeric(dataset.Form{Boolean: true, NA: t.naTexts > 0})
	case t.given.Type == job.DateColumn:
		return t.parts()
	case t.given.Type == job.CategoryColumn:
		c.hash = t.given.Hash
	}
	return []column{c}, nil
}

// numeric makes the column one of numbers in this form. Commas between thousands alone are
// the column's own field.
func (c *column) numeric(f dataset.Form) {
	c.kind = dataset.Numeric
	if f.Thousands == "," && f.Decimal == "" && f.Sign == "" {
		c.thousands, f.Thousands = true, ""
	}
	if f != (dataset.Form{}) {
		c.form = &f
	}
}

// number decides whether a column without a type is numeric, and how its numbers are
// written. Words for missing values count as such if the column is then numeric. Integers
// are text, like identifiers, if at least one would lose information as a number. It
// returns an error for a column that is neither.
func (t *tally) number() (form dataset.Form, numeric bool, err error) {
	if t.naTexts+t.naNonFinites > 0 {
		form, ok := t.decide(t.texts-t.naTexts, t.nonFinites-t.naNonFinites)
		if form.NA = true; ok {
			return form, true, nil
		}
	}
	if form, ok := t.decide(t.texts, t.nonFinites); ok {
		return form, true, nil
	}
	total := t.numbers + t.texts + t.nonFinites
	switch {
	case t.texts == 0 && t.nonFinites > 0:
		return form, false, notFinite(t.name, preferred(t.infinite, t.nonFinite))
	case t.identifiers > 0 && t.integers == total:
		return form, false, nil
	case total >= manyRows && float64(t.numbers) >= mostlyNumbers*float64(total):
		return form, false, textInNumbers(t.name, preferred(t.stranger, t.text))
	}
	return form, false, nil
}

// decide returns the form of a column of numbers with that many texts and numbers that are
// not finite. ok is false if it is no such column.
func (t *tally) decide(texts, nonFinites int) (form dataset.Form, ok bool) {
	form = t.plainForm()
	switch {
	case nonFinites > 0, t.numbers+texts == 0:
		return form, false
	case t.identifiers > 0 && t.integers == t.numbers+texts:
		return form, false
	case texts == 0:
		return form, true
	case t.decimalComma:
		form.Decimal = ","
		return form, t.commas == texts && t.identifiers == 0
	case t.grouped == texts && t.ungrouped+t.identifiers == 0:
		form.Thousands = ","
		return form, true
	case t.signed == texts && t.numbers == 0:
		return t.signedForm(form), true
	}
	return form, false
}

// mustNumber returns how the numbers of a column are written that data.columns declares
// to be numeric.
func (t *tally) mustNumber() (dataset.Form, error) {
	form := t.plainForm()
	form.NA = t.naTexts+t.naNonFinites > 0
	texts := t.texts - t.naTexts
	switch {
	case t.nonFinites > t.naNonFinites:
		return form, notFinite(t.name, preferred(t.infinite, t.nonFinite))
	case t.decimalComma && texts > 0 && t.commas == texts:
		form.Decimal = ","
	case t.strange > 0:
		return form, fmt.Errorf("%s: column %q: %s is not a number, as data.columns says: correct it, leave the cell empty (a missing value), or add it to data.csv.na: %w",
			t.stranger.at, t.name, t.stranger.text, job.ErrInvalid)
	default:
		form = t.signedForm(form)
		if t.grouped > 0 {
			form.Thousands = ","
		}
	}
	return form, nil
}

// plainForm is the form that data.csv says.
func (t *tally) plainForm() dataset.Form {
	if t.base != nil {
		return *t.base
	}
	return dataset.Form{}
}

// signedForm adds the sign to the form.
func (t *tally) signedForm(form dataset.Form) dataset.Form {
	form.Sign = t.sign
	if t.base == nil && t.signedGrouped > 0 {
		form.Thousands = ","
	}
	return form
}

// preferred returns the first sighting, or the other one if there is none.
func preferred(s, otherwise sighting) sighting {
	if s.seen == nil {
		return otherwise
	}
	return s
}

// noteSurprises notes a column that a user may expect to be of another kind.
func (t *tally) noteSurprises(c column, asText, forms *notes) {
	if t.given != nil || t.kind == tabular.Text {
		return
	}
	if c.kind == dataset.Numeric {
		t.noteForm(c, forms)
		return
	}
	switch {
	case t.texts == 0:
		asText.add("column %q is read as text, with a category for each different text, because of %s in %s: %s",
			t.name, t.identifier.text, t.identifier.at, asIdentifier)
	case 2*t.numbers >= t.numbers+t.texts:
		asText.add("column %q is read as text, because of %s in %s, although most of its cells are numbers", t.name, t.text.text, t.text.at)
	case 2*(t.numbers+t.digits) >= t.numbers+t.texts:
		asText.add("column %q is read as text, with a category for each different text, because of %s in %s: write plain numbers, or set its type in data.columns (number, date), to make it numeric",
			t.name, t.text.text, t.text.at)
	}
}

// noteForm notes how the numbers of a column are written.
func (t *tally) noteForm(c column, forms *notes) {
	f := dataset.Form{}
	if c.form != nil {
		f = *c.form
	}
	switch {
	case c.thousands:
		forms.add("column %q is read as numbers with commas between thousands: %s in %s", t.name, t.text.text, t.text.at)
	case f.Sign == dataset.Percent:
		forms.add("column %q is read as numbers in per cent, so that 50%% is 0.5: %s in %s", t.name, t.text.text, t.text.at)
	case f.Sign != "":
		forms.add("column %q is read as numbers without their sign %q: %s in %s", t.name, f.Sign, t.text.text, t.text.at)
	}
	if f.NA {
		word := preferred(t.na, t.text)
		forms.add("column %q is read as numbers, in which words like %s in %s are missing values", t.name, word.text, word.at)
	}
}

// asIdentifier is the reason why an integer is text.
const asIdentifier = "as a number it would lose a leading zero, or digits that a 64-bit float does not hold"

func notFinite(column string, s sighting) error {
	return fmt.Errorf("%s: column %q: %s is not a finite number: correct it, or leave the cell empty (a missing value): %w",
		s.at, column, s.text, job.ErrInvalid)
}

func textInNumbers(column string, s sighting) error {
	return fmt.Errorf("%s: column %q: text %s in a numeric column: correct it, leave the cell empty (a missing value), or leave the column out with data.drop: %w",
		s.at, column, s.text, job.ErrInvalid)
}
